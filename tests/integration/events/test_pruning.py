"""Events are deleted once they are old: by the tick in slices, by nothing where they are kept for ever."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import Event as Signal
from threading import Thread

import pytest
from sqlalchemy import text

from tests.integration.events.conftest import Stage
from worker.database.engine import Sessions
from worker.domain.events.types import EventType
from worker.events import pruning, queries
from worker.events.pruning import Pruned, prune_events, prune_old_events
from worker.events.queries import Wanted
from worker.events.reading import read_events
from worker.ledger.database_identity import HoldPolicy

DAY = timedelta(days=1)
POLICY = HoldPolicy(
    mode="sandbox", prefix="again", gap=timedelta(days=400), gap_wait=timedelta(0), quiet_period=timedelta(minutes=30)
)
URL = "https://shop.example/hook"


@pytest.fixture
def now(sessions: Sessions) -> datetime:
    """The database's instant, by which events have their positions; it has worked with this database so far."""
    with sessions.begin() as session:
        session.execute(text("UPDATE database_identity SET seen_at = clock_timestamp()"))
        instant: datetime = session.scalars(text("SELECT clock_timestamp()")).one()
        return instant


def kept(sessions: Sessions) -> Sequence[int]:
    return [event.position for event in read_events(sessions)]


def test_event_is_deleted_by_the_tick_once_it_is_older_than_events_are_kept(
    stage: Stage, sessions: Sessions, now: datetime
):
    def tick(days_later: float, days: int = 90) -> Pruned:
        later = now + days_later * DAY
        return prune_old_events(sessions, days=days, clock=lambda: later, hold_policy=POLICY)

    stage.write(1)
    assert tick(89.9) == Pruned(0)
    assert tick(300, days=0) == Pruned(0)  # for ever
    assert len(kept(sessions)) == 1
    assert tick(90.1) == Pruned(1)
    assert kept(sessions) == []


def test_nothing_is_deleted_while_charging_is_held(stage: Stage, sessions: Sessions, now: datetime):
    stage.write(1)
    with sessions.begin() as session:
        session.execute(text("UPDATE database_identity SET identity = 'of another database'"))
    assert prune_old_events(sessions, days=1, clock=lambda: now + 2 * DAY, hold_policy=POLICY) == Pruned(0)
    assert len(kept(sessions)) == 1


def test_tick_goes_on_where_the_last_one_left_off(
    stage: Stage, sessions: Sessions, now: datetime, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pruning, "BATCH", 2)
    monkeypatch.setattr(pruning, "MOST", 3)
    positions = stage.write(*range(1, 8))
    left = []
    for _ in range(3):
        prune_old_events(sessions, days=1, clock=lambda: now + 2 * DAY, hold_policy=POLICY)
        left.append(kept(sessions))
    assert left == [positions[4:], [], []]


def test_event_that_is_not_delivered_yet_is_kept_and_those_behind_it_are_not(
    stage: Stage, sessions: Sessions, now: datetime, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pruning, "BATCH", 2)
    stage.webhook(URL, types=["charge.declined"])
    undelivered = stage.write(1, 2, 3, kind=EventType.CHARGE_DECLINED)
    stage.write(4, 5)
    assert prune_events(sessions, before=now - DAY) == 0
    assert prune_events(sessions, before=now + DAY) == 2
    assert kept(sessions) == undelivered


def test_pruning_waits_for_no_writer_and_holds_none_up(stage: Stage, sessions: Sessions, now: datetime):
    old = stage.write(1, 2)
    with sessions.begin() as pruner:
        assert queries.prune(pruner, old[-1] + 1, limit=10) == (old[-1], 2)
        newer, ended = [], Signal()

        def write() -> None:
            newer.extend(stage.write(3))
            ended.set()

        writer = Thread(target=write)
        writer.start()
        assert ended.wait(30), "an event could not be written while others were being deleted"
    writer.join()
    assert kept(sessions) == newer


def test_newest_events_are_read_in_their_order(stage: Stage, sessions: Sessions):
    paid = stage.write(1, 2, 3)
    declined = stage.write(2, kind=EventType.CHARGE_DECLINED)
    with sessions() as session:
        by_type = Wanted(types=[EventType.CHARGE_PAID, EventType.CHARGE_DECLINED, EventType.CHARGE_VOIDED])
        for wanted in (Wanted(), by_type):
            newest = queries.newest(session, wanted, limit=3)
            assert [event.position for event in newest] == [*paid[1:], *declined]
            after = queries.after(session, paid[0], wanted, limit=2)
            assert [event.position for event in after] == paid[1:]
