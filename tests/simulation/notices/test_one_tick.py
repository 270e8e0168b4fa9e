"""The tick of notices, stopped at every commit: what is told is what is told without a fault, each thing once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from tests.simulation.charging.exhaustive import CRASH
from tests.simulation.engine.faults import Fault, Kind, at
from tests.simulation.engine.verdict import Violation
from tests.simulation.notices import breakages
from tests.simulation.notices.one_tick import tell

LOST = Fault(Kind.LOSE_DATABASE)


def tell_all(engine: Engine, fault: Fault, *, every: int = 1) -> int:
    """Run a history with a fault at each commit, or at one of `every` so many; returns the number of histories."""
    expected, points = tell(engine)
    chosen = points[::every]
    for point in chosen:
        told, _ = tell(engine, at({point.number: fault}))
        if sorted(told) != sorted(expected):  # what is done again may come behind others
            raise Violation(f"{fault} at {point}: told was {told}, and without it {expected}")
    return 1 + len(chosen)


def test_without_a_fault_everything_is_told(engine: Engine):
    told, _ = tell(engine)
    assert [(each.kind, each.amount, each.correction) for each in told] == [
        ("paid", 9900, 0),
        ("declined", 9900, 0),
        ("paid", 9900, 0),
        ("trial", 9900, 0),
        ("paid", 9900, 0),
        ("renewal", 9900, 0),
        ("renewal", 9900, 0),
        ("renewal", 14_900, 1),
    ]


def test_crash_at_any_commit_tells_each_notice_once_and_loses_none(engine: Engine):
    assert tell_all(engine, CRASH) > 30


def test_commit_whose_answer_is_lost_tells_nothing_twice(engine: Engine, thorough: bool):
    assert tell_all(engine, LOST, every=1 if thorough else 6) > 4


@pytest.mark.parametrize(
    "broken",
    [breakages.keep_in_a_transaction_of_its_own, breakages.take_out_before_sending],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_broken_notices_are_noticed(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, broken: Callable[[pytest.MonkeyPatch], None]
):
    broken(monkeypatch)
    with pytest.raises(Violation, match="told was"):
        tell_all(engine, CRASH)
