"""The judge of what a host has received: what it takes for overtaken, and what not."""

from __future__ import annotations

from tests.support.arrivals import Arrival, HostReply, Told, problems
from worker.domain.events.types import EventType


def told(position: int, fact: str) -> Told:
    return Told(position=position, id=fact, type=EventType.SUBSCRIPTION_PAUSED, data={"subscription": {"code": "A"}})


def arrival(position: int, fact: str, reply: HostReply = HostReply.TAKE) -> Arrival:
    kept = told(position, fact)
    return Arrival(position=position, id=fact, type=kept.type, data=kept.data, reply=reply)


def test_event_that_was_refused_and_then_lost_with_the_database_is_overtaken_by_none():
    kept = [told(7, "first"), told(8, "second")]  # the first was at 5 before the restore
    arrivals = [arrival(5, "first", HostReply.REFUSE), arrival(7, "first"), arrival(8, "second")]
    assert list(problems(kept, arrivals, faults=0)) == []


def test_event_that_was_refused_and_is_kept_must_be_taken_before_the_next_comes():
    kept = [told(5, "first"), told(8, "second")]
    arrivals = [arrival(5, "first", HostReply.REFUSE), arrival(8, "second"), arrival(5, "first")]
    (problem,) = problems(kept, arrivals, faults=0)
    assert "has overtaken [5]" in problem


def test_event_that_was_taken_and_then_lost_with_the_database_counts_as_taken():
    kept = [told(7, "first")]
    assert list(problems(kept, [arrival(5, "first"), arrival(7, "first")], faults=0)) == []
