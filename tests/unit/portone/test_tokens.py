"""One token for all callers: renewed once for concurrent ones, by PortOne's clock and not by ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from worker.portone.errors import NoToken
from worker.portone.tokens import FAILURE_SECONDS, FRESH_SECONDS, INSISTING_SECONDS, MARGIN_SECONDS, Token, TokenSource


class Source:
    """A stand-in for PortOne: returns the configured tokens, counts calls, and lets other tasks run in between."""

    def __init__(self, *gives: Token | Exception) -> None:
        self.gives = list(gives)
        self.fetches = 0
        self.under_way = 0
        self.most_under_way = 0
        self.now = 1000.0
        self.tokens = TokenSource(self._fetch, lambda: self.now)

    async def _fetch(self) -> Token:
        self.fetches += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            for _ in range(5):
                await asyncio.sleep(0)
        finally:
            self.under_way -= 1
        given = self.gives.pop(0) if len(self.gives) > 1 else self.gives[0]
        if isinstance(given, Exception):
            raise given
        return given


def told(story: Callable[[Source], object], *gives: Token | Exception) -> Source:
    source = Source(*gives)
    asyncio.run(story(source))  # type: ignore[arg-type]  # every story is a coroutine function
    return source


def test_thousand_concurrent_callers_share_one_fetch():
    async def story(source):
        values = await asyncio.gather(*(source.tokens.get() for _ in range(1000)))
        assert set(values) == {"one"}

    source = told(story, Token("one", 1800))
    assert (source.fetches, source.most_under_way) == (1, 1)


def test_token_is_used_until_shortly_before_its_end():
    async def story(source):
        assert await source.tokens.get() == "one"
        source.now += 1800 - MARGIN_SECONDS - 0.1
        assert await source.tokens.get() == "one"
        source.now += 0.1
        assert await source.tokens.get() == "two"

    assert told(story, Token("one", 1800), Token("two", 1800)).fetches == 2


def test_thousand_callers_rejected_with_one_token_renew_it_once():
    async def story(source):
        await source.tokens.get()
        values = await asyncio.gather(*(source.tokens.replace("one") for _ in range(1000)))
        assert set(values) == {"two"}
        assert await source.tokens.replace("one") == "two", "a straggler is given what is there"

    assert told(story, Token("one", 1800), Token("two", 1800)).fetches == 2


def test_token_that_portone_insists_on_is_used_without_another_request():
    async def story(source):
        await source.tokens.get()
        values = await asyncio.gather(*(source.tokens.replace("one") for _ in range(1000)))
        assert set(values) == {"one"}
        assert source.fetches == 2
        source.now += INSISTING_SECONDS
        assert await source.tokens.replace("one") == "two", "it may have ended by now"

    assert told(story, Token("one", 1800), Token("one", 1700), Token("two", 1800)).fetches == 3


def test_rejected_token_is_not_returned_after_its_replacement():
    async def story(source):
        await source.tokens.get()
        await source.tokens.replace("one")
        assert await source.tokens.get() == "two"

    assert told(story, Token("one", 1800), Token("two", 1800)).fetches == 2


@pytest.mark.parametrize(
    ("lifetime", "used_for"),
    [
        (1800.0, 1800 - MARGIN_SECONDS),
        (60.0, 30.0),  # in its last minute
        (35.0, FRESH_SECONDS),
        (MARGIN_SECONDS, FRESH_SECONDS),
        (0.0, FRESH_SECONDS),  # unknown
        (-40.0, FRESH_SECONDS),  # expired already, by PortOne's own clock: it may still work, and a 401 shows if not
    ],
)
def test_token_lifetime_follows_portones_clock_and_has_a_minimum(lifetime, used_for):
    async def story(source):
        for _ in range(3):
            assert await source.tokens.get() == "one"
        source.now += used_for - 0.1
        assert await source.tokens.get() == "one"
        assert source.fetches == 1
        source.now += 0.2
        assert await source.tokens.get() == "two"

    assert told(story, Token("one", lifetime), Token("two", 1800)).fetches == 2


def test_token_lifetime_is_independent_of_the_local_clock():
    async def story(source):
        source.now = -5e9  # a machine in another century; only discrepancies count
        assert await source.tokens.get() == "one"
        source.now += 1000
        assert await source.tokens.get() == "one"

    assert told(story, Token("one", 1800)).fetches == 1


def test_failed_fetch_fails_all_waiting_callers_and_is_not_repeated_at_once():
    async def story(source):
        asked = [source.tokens.get() for _ in range(500)] + [source.tokens.replace("old") for _ in range(500)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(answer) for answer in answers} == {NoToken}
        assert source.fetches == 1
        source.now += FAILURE_SECONDS
        assert await source.tokens.get() == "one", "but it is repeated soon"

    assert told(story, NoToken("away"), Token("one", 1800)).fetches == 2


def test_failed_replacement_discards_the_rejected_token():
    async def story(source):
        assert await source.tokens.get() == "one"
        with pytest.raises(NoToken):
            await source.tokens.replace("one")
        source.now += FAILURE_SECONDS
        assert await source.tokens.replace("one") == "two"

    assert told(story, Token("one", 1800), NoToken("away"), Token("two", 1800)).fetches == 3


def test_cancelled_caller_does_not_cancel_the_shared_fetch():
    async def story(source):
        first = asyncio.create_task(source.tokens.get())
        others = [asyncio.create_task(source.tokens.get()) for _ in range(10)]
        await asyncio.sleep(0)
        first.cancel()
        assert set(await asyncio.gather(*others)) == {"one"}
        assert first.cancelled()

    source = told(story, Token("one", 1800))
    assert (source.fetches, source.most_under_way) == (2, 1)


def test_token_value_is_not_in_its_repr():
    assert "one" not in f"{Token('one', 1800)!r} {Token('one', 1800)}"
