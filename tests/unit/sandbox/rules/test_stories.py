"""Stories of billing keys as JSON: written, read back, and rejected."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.sandbox.rules import stories
from worker.sandbox.rules.behaviours import (
    Behaviour,
    Reply,
    Shape,
    Verdict,
    decline,
    flaky,
    misrecorded,
    pay,
    slow,
    troubled,
)

seconds = st.floats(min_value=0, max_value=86_400)

plain = st.builds(
    Behaviour,
    verdict=st.sampled_from([Verdict.PAID, Verdict.DECLINED, Verdict.MISRECORDED]),
    reply=st.sampled_from([reply for reply in Reply if reply is not Reply.UNAUTHORIZED]),
    times=st.integers(min_value=1),
    code=st.text(),
    text=st.text(),
    shape=st.sampled_from(Shape),
    recorded=st.booleans(),
    wait_seconds=seconds,
    answer_seconds=seconds,
    hidden_seconds=seconds,
    seed=st.integers(),
)

behaviours = plain | st.builds(
    flaky, st.integers(), mix=st.lists(st.tuples(st.integers(1, 9), plain), min_size=1).map(tuple)
)


@given(st.lists(behaviours, max_size=4))
def test_story_written_as_json_reads_back_equal(story: list[Behaviour]):
    assert list(stories.read(json.loads(json.dumps(stories.written(story))))) == story


def test_every_ready_made_behaviour_reads_back_equal():
    ready_made = [pay(), decline(), slow(2, answer_seconds=1), misrecorded(), flaky(3)]
    ready_made += [troubled(reply, charged=False) for reply in Reply if reply is not Reply.PLAIN]
    assert list(stories.read(stories.written(ready_made))) == ready_made


@pytest.mark.parametrize(
    ("step", "complaint"),
    [
        ("pay", "a list of them"),  # neither an object nor a list
        (["pay"], "JSON object"),
        ({"kind": "pay"}, "no kind"),  # an unknown field
        ({"verdict": "maybe"}, "paid, declined"),
        ({"reply": "shout"}, "plain, hang"),
        ({"times": 0}, "from 1"),
        ({"times": True}, "from 1"),
        ({"wait_seconds": -1}, "from 0"),
        ({"wait_seconds": "1"}, "from 0"),
        ({"code": 51}, "takes text"),
        ({"recorded": "no"}, "true or false"),
        ({"seed": 1.5}, "whole number"),
        ({"mix": [[1]]}, "pairs"),
        ({"mix": [[0, {}]]}, "from 1"),
        ({"verdict": "untouched"}, "needs a verdict"),  # a plain answer about nothing
        ({"reply": "unauthorized"}, "not processed"),  # charged, and yet 401
    ],
)
def test_invalid_behaviour_is_rejected_with_a_reason(step: object, complaint: str):
    with pytest.raises(stories.BadBehaviour, match=complaint):
        stories.read(step)
