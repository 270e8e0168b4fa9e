"""Events on their way to a host: every fault at every point. None is lost, none overtakes another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from tests.simulation.charging.exhaustive import BEYOND_THE_LEASE, CRASH
from tests.simulation.engine.faults import Fault, Kind, Point, applies, at
from tests.simulation.engine.verdict import Violation
from tests.simulation.relay import breakages
from tests.simulation.relay.one_relay import RelayHistory, tell
from tests.support.arrivals import HostReply

WELL = RelayHistory([HostReply.TAKE])
TROUBLED = RelayHistory(
    [HostReply.LOSE, HostReply.TAKE, HostReply.REFUSE, HostReply.TAKE, HostReply.HANG, HostReply.TAKE]
)
TWO = replace(WELL, workers=2)
OTHERS = tuple(Fault(kind) for kind in (Kind.LOSE_DATABASE, Kind.REFUSE, Kind.LOSE_REQUEST))


def tell_all(engine: Engine, plain: RelayHistory, fault: Fault, *, every: int = 1) -> int:
    """Run a history with a fault at each point, or at one of `every` so many; returns the number of histories."""
    number, points = 1, checked(engine, plain, "without a fault")
    for point in points[::every]:
        if applies(fault.kind, point):
            checked(engine, replace(plain, plan=at({point.number: fault})), f"{fault} at {point}")
            number += 1
    return number


def checked(engine: Engine, history: RelayHistory, name: str) -> Sequence[Point]:
    try:
        return list(tell(engine, history))
    except Violation as violation:
        raise Violation(f"{name}\n{violation}") from None


def test_crash_at_any_point_loses_no_event_and_keeps_the_order(engine: Engine):
    assert tell_all(engine, WELL, CRASH) > 40


def test_worker_that_stands_still_beyond_its_lease_keeps_the_order(engine: Engine, thorough: bool):
    assert tell_all(engine, WELL, BEYOND_THE_LEASE, every=1 if thorough else 3) > 10


@pytest.mark.parametrize("fault", OTHERS, ids=lambda fault: fault.kind.value)
def test_message_or_commit_that_is_lost_loses_no_event(engine: Engine, fault: Fault):
    assert tell_all(engine, WELL, fault) > 6


def test_crash_while_a_host_is_in_trouble_loses_no_event(engine: Engine, thorough: bool):
    assert tell_all(engine, TROUBLED, CRASH, every=1 if thorough else 3) > 10


def test_two_workers_share_a_host_and_send_nothing_twice(engine: Engine):
    assert len(checked(engine, TWO, "two workers")) > 40


def crashed(engine: Engine) -> None:
    tell_all(engine, WELL, CRASH)


def troubled(engine: Engine) -> None:
    tell(engine, TROUBLED)


def shared(engine: Engine) -> None:
    tell(engine, TWO)


@pytest.mark.parametrize(
    ("broken", "story", "noticed"),
    [
        (breakages.delete_before_it_is_sent, crashed, "has never arrived"),
        (breakages.keep_the_fact, troubled, "facts are not published"),
        (breakages.send_in_any_order, troubled, "has overtaken"),
        (breakages.claim_without_a_lease, shared, "has arrived"),
        (breakages.take_facts_in_a_transaction_of_their_own, crashed, "events and tables differ"),
        (breakages.queue_in_a_transaction_of_its_own, crashed, "has never arrived"),
        (breakages.take_a_failure_for_an_arrival, troubled, "has never arrived"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_broken_relay_is_noticed(
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    broken: Callable[[pytest.MonkeyPatch], None],
    story: Callable[[Engine], None],
    noticed: str,
):
    broken(monkeypatch)
    with pytest.raises(Violation, match=noticed):
        story(engine)


def test_trigger_that_is_missing_is_noticed(engine: Engine):
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE charges DISABLE TRIGGER charges_event_paid"))
    try:
        with pytest.raises(Violation, match="events and tables differ"):
            tell(engine, WELL)
    finally:
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE charges ENABLE TRIGGER charges_event_paid"))
