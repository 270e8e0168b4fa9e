"""Each act on what is unpaid in each way: by itself, and by what a sequence of random steps seldom reaches."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest
from sqlalchemy import Engine

from tests.simulation.changes.any_sequence import AnySequence
from tests.simulation.changes.beginnings import BEGINNINGS, PAYS, Beginning
from tests.simulation.changes.reached import Reached
from worker.domain.changes import OF_A_CHARGE, Moment

Act = Callable[[AnySequence, int], None]

_OTHER = {"quantity": None, "proration": None, "renewal": None, "anchor_day": None}
ACTS: tuple[Act, ...] = (
    lambda s, nth: s.collect(nth, unpaid=True, when=None),
    lambda s, nth: s.postpone(nth, unpaid=True, until=4),
    lambda s, nth: s.void(nth, unpaid=True, when=None),
    lambda s, nth: s.write_off(nth, unpaid=True, when=None),
    lambda s, nth: s.pay_elsewhere(nth, unpaid=True, when=None),
    lambda s, nth: s.refund(nth, amount=990, by_days=False),
    lambda s, nth: s.cancel(1 - nth, when=Moment.NOW),
    lambda s, nth: s.pause(1 - nth, when=Moment.NOW, until=9),
    lambda s, nth: s.change_plan(1 - nth, when=Moment.NOW, plan="new-york", **_OTHER),
    lambda s, nth: s.change_plan(1 - nth, when=None, plan="yearly", **_OTHER),
    lambda s, nth: s.move_renewal(1 - nth, when=None, on=20),
    lambda s, nth: s.register_another_key(1 - nth, story=PAYS),
)
"""What is done to a charge, the newest first, or to the subscription that it is of."""


UNPAID = [each for each in BEGINNINGS if each.name not in ("dunning for days", "paid")]


@pytest.mark.parametrize("beginning", UNPAID, ids=lambda each: each.name)
def test_acts_on_what_is_unpaid_keep_every_promise(engine: Engine, beginning: Beginning):
    reached = Reached()
    for first, second in zip(ACTS[::2], ACTS[1::2], strict=True):
        sequence = AnySequence(engine)
        with closing(sequence):
            sequence.reached = reached
            sequence.subscribe(plans=("monthly", "gold"), beginnings=(beginning, beginning))
            first(sequence, 0)
            second(sequence, 1)
            sequence.everything_adds_up()
            sequence.live(days=31)
            sequence.everything_adds_up()
    assert {state for kind, state, _ in reached if kind in OF_A_CHARGE} == {beginning.state}
