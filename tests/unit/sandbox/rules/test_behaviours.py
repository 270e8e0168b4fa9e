"""Which step of a key's story a call meets, and what a flaky step draws."""

from __future__ import annotations

import pytest

from worker.sandbox.rules.behaviours import (
    DEFAULT_MIX,
    Behaviour,
    Reply,
    Verdict,
    current,
    decline,
    drawn,
    flaky,
    pay,
    troubled,
)

DECLINED_TWICE = decline(times=2)

TROUBLED_ONCE = troubled(Reply.DROP, charged=True)


@pytest.mark.parametrize(
    ("story", "met"),
    [
        ([], "ppp"),  # no story: it pays
        ([decline()], "ddd"),  # one step stays, whatever its times
        ([DECLINED_TWICE, pay()], "ddpp"),  # decline twice, then pay
        ([DECLINED_TWICE, TROUBLED_ONCE, pay()], "ddtpp"),  # three steps
        ([pay(), decline(times=1)], "pddd"),  # the last one stays after its times
    ],
)
def test_story_advances_step_by_step(story: list[Behaviour], met: str):
    letters = {Verdict.PAID: "p", Verdict.DECLINED: "d"}
    steps = [current(story, calls) for calls in range(len(met))]
    assert "".join("t" if step.reply is Reply.DROP else letters[step.verdict] for step in steps) == met


def test_flaky_draws_the_same_for_the_same_seed_key_and_call():
    step = flaky(7)
    first = [drawn(step, "key", calls) for calls in range(200)]
    assert first == [drawn(step, "key", calls) for calls in range(200)]
    assert first != [drawn(step, "other", calls) for calls in range(200)]
    assert first != [drawn(flaky(8), "key", calls) for calls in range(200)]


def test_flaky_draws_everything_in_its_mix_and_never_hangs():
    steps = [drawn(flaky(7), "key", calls) for calls in range(2000)]
    assert set(steps) == {each for _, each in DEFAULT_MIX}
    assert all(step.reply is not Reply.HANG for step in steps)


def test_mix_is_drawn_by_its_weights():
    step = flaky(1, mix=[(9, pay()), (1, decline())])
    declined = sum(drawn(step, "key", calls).verdict is Verdict.DECLINED for calls in range(1000))
    assert 50 < declined < 150


def test_decline_reason_has_its_code_in_brackets():
    assert decline("CC61", "한도초과").reason == "[CC61]한도초과"
    assert decline("", "한도초과").reason == "한도초과"
