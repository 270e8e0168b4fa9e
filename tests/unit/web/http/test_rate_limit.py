"""A link has PortOne asked so often and no oftener, and what is remembered of links has an end."""

from __future__ import annotations

import pytest

from worker.web.http import rate_limit
from worker.web.http.rate_limit import BURST, SECONDS_PER_LOOKUP, RateLimit


class Seconds:
    """A clock that is moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_after_the_first_ones_a_turn_comes_every_two_seconds():
    clock = Seconds()
    asked = RateLimit(monotonic=clock)
    assert [asked.allow("a") for _ in range(BURST + 2)] == [True] * BURST + [False, False]
    clock.now += SECONDS_PER_LOOKUP
    assert [asked.allow("a"), asked.allow("a")] == [True, False]
    assert asked.allow("b")  # another link has its own


def test_a_long_pause_saves_up_no_more_than_there_were_at_first():
    clock = Seconds()
    asked = RateLimit(monotonic=clock)
    asked.allow("a")
    clock.now += 86_400
    assert sum(asked.allow("a") for _ in range(2 * BURST)) == BURST


def test_being_refused_costs_nothing_so_whoever_waits_gets_a_turn():
    clock = Seconds()
    asked = RateLimit(monotonic=clock)
    for _ in range(1000):
        asked.allow("a")
    clock.now += SECONDS_PER_LOOKUP
    assert asked.allow("a")


def test_of_too_many_links_the_one_that_waited_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rate_limit, "MAX_LINKS", 2)
    asked = RateLimit(monotonic=Seconds())
    for code in "abacad":
        asked.allow(code)
    assert list(asked._buckets) == ["a", "d"]
