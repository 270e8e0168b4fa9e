"""The database's clock against a real PostgreSQL, from machines whose own clocks are wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from tests.integration.conftest import claim_now, open_all
from tests.support.book import Book
from tests.support.wrong_clock import SetClock, WrongClock
from worker.database.clock import DatabaseClock, Step, read
from worker.database.engine import Sessions, create_database_engine
from worker.domain.clock import Clock, system_clock
from worker.ledger import lookup_queue

NOWHERE = "postgresql:///again?host=/nowhere"
CLOSE = timedelta(seconds=1)
"""Far more than asking takes, far less than any clock here is wrong by."""


def database_now(engine: Engine) -> datetime:
    with engine.connect() as connection:
        now: datetime = connection.scalars(text("SELECT clock_timestamp()")).one()
        return now


def telling() -> tuple[list[float], Callable[[timedelta], None]]:
    """What a clock told, in whole seconds, and whom it is to tell."""
    told: list[float] = []
    return told, lambda ahead: told.append(round(ahead.total_seconds()))


@pytest.mark.parametrize(
    "wrong",
    [
        {"minutes": 2},  # leases of others look over too early
        {"minutes": -2},  # and here too late
        {"days": 400},  # a machine without a battery
        {"seconds": 2},  # below any warning, and still a quiet period's share in a test
    ],
    ids=str,
)
def test_a_wrong_clock_tells_the_databases_time_once_it_has_asked(engine: Engine, wrong: dict[str, float]):
    clock = DatabaseClock(WrongClock(**wrong))
    clock.sync(engine)
    assert abs(clock() - database_now(engine)) < CLOSE
    assert clock().tzinfo is UTC


def test_clock_asked_in_a_transaction_returns_now_and_not_its_start(sessions: Sessions, engine: Engine):
    clock = DatabaseClock(WrongClock(minutes=2))
    with sessions.begin() as session:
        session.execute(text("SELECT pg_sleep(1.5)"))
        clock.sync(session)
    assert abs(clock() - database_now(engine)) < CLOSE


def test_a_clock_that_never_asked_is_the_systems():
    assert abs(DatabaseClock()() - system_clock()) < CLOSE


def steps_of(clock: DatabaseClock) -> list[Step]:
    """What a clock has noticed, beyond what a busy machine makes of one question."""
    return [step for step in (clock.step,) if step is not None and abs(step.by) > CLOSE]


def asking(database: SetClock) -> DatabaseClock:
    return DatabaseClock(elapsed=database.elapsed_seconds, ask=database.ask)


def test_the_machines_clock_set_after_it_has_asked_changes_nothing(engine: Engine):
    system = WrongClock()
    clock = DatabaseClock(system)
    clock.sync(engine)
    for hours in (2, -9):
        system.ahead = timedelta(hours=hours)
        assert abs(clock() - database_now(engine)) < CLOSE
        clock.sync(engine)
        assert steps_of(clock) == []


def test_a_slow_answer_does_not_spoil_what_a_quick_one_said(engine: Engine):
    """As when a process is frozen over its question and thawed."""
    database = SetClock()
    clock = asking(database)
    clock.sync(engine)
    database.frozen_over_the_answer = 600.0
    clock.sync(engine)
    database.frozen_over_the_answer = 0.0
    assert abs(clock() - (database_now(engine) + database.ahead)) < CLOSE
    clock.sync(engine)
    assert steps_of(clock) == []


def test_a_first_answer_that_was_slow_is_no_step_when_it_is_known_better(engine: Engine):
    database = SetClock()
    clock = asking(database)
    database.frozen_over_the_answer = 600.0
    clock.sync(engine)
    database.frozen_over_the_answer = 0.0
    clock.sync(engine)
    assert steps_of(clock) == []
    assert abs(clock() - (database_now(engine) + database.ahead)) < CLOSE


def test_transaction_decides_by_the_instant_the_database_tells_in_it(engine: Engine):
    database = SetClock()
    clock = asking(database)
    clock.sync(engine)
    database.set(hours=2)
    with engine.connect() as connection:
        assert abs(read(connection, clock) - (database_now(engine) + timedelta(hours=2))) < CLOSE


@pytest.mark.parametrize("hours", [2, -2])
def test_a_step_of_the_databases_clock_is_noticed_until_it_is_dealt_with(engine: Engine, hours: int):
    database = SetClock()
    clock = asking(database)
    clock.sync(engine)
    database.pass_time(60.0)
    assert steps_of(clock) == []
    database.set(hours=hours)
    clock.sync(engine)
    database.pass_time(60.0)
    clock.sync(engine)
    (step,) = steps_of(clock)
    assert abs(step.by - timedelta(hours=hours)) < CLOSE
    assert step.within >= timedelta(seconds=120)
    clock.dealt_with(step)
    clock.sync(engine)
    assert steps_of(clock) == []


def test_two_clocks_that_drift_apart_for_a_week_make_no_step(engine: Engine):
    database = SetClock()
    clock = asking(database)
    clock.sync(engine)
    for _ in range(7 * 24):
        database.pass_time(3600.0)
        database.set(seconds=0.4)
        clock.sync(engine)
        assert steps_of(clock) == []
    assert abs(clock() - (database_now(engine) + database.ahead)) < CLOSE


def test_clock_keeps_its_correction_while_the_database_does_not_answer(engine: Engine):
    clock = DatabaseClock(WrongClock(minutes=2))
    clock.sync(engine)
    dead = create_database_engine(NOWHERE, actor="test")
    with pytest.raises(OperationalError):
        clock.sync(dead)
    assert abs(clock() - database_now(engine)) < CLOSE


def test_a_machine_whose_clock_is_set_right_is_followed(engine: Engine):
    system = WrongClock(minutes=2)
    clock = DatabaseClock(system)
    clock.sync(engine)
    system.ahead = timedelta(0)
    clock.sync(engine)
    assert abs(clock() - database_now(engine)) < CLOSE


def test_a_wrong_clock_is_told_of_once_per_change(engine: Engine):
    told, tell = telling()
    system = WrongClock(minutes=2)
    clock = DatabaseClock(system, tell=tell)
    for ahead in (120, 120, 121, 140, 0, 0, 29, -45):
        system.ahead = timedelta(seconds=ahead)
        clock.sync(engine)
    # 121 and 140 are the same story; 29 agrees well enough; behind is another story than agreeing
    assert told == [-120, 0, 45]


def test_worker_two_minutes_ahead_abandons_no_attempt_of_another(sessions: Sessions, book: Book):
    """Its own clock says that the lease is over; the database's knows better."""
    book.subscribe(now=system_clock(), starts_on=system_clock().date() - timedelta(days=2))
    open_all(sessions, system_clock())
    assert claim_now(sessions, now=system_clock()) != []  # a lease of two minutes

    def abandoned(clock: Clock) -> int:
        with sessions() as session:
            if isinstance(clock, DatabaseClock):
                clock.sync(session)
            return lookup_queue.expire_leases(session, now=clock(), limit=10)  # rolled back

    wrong = WrongClock(minutes=2, seconds=5)
    assert abandoned(wrong) == 1
    assert abandoned(DatabaseClock(wrong)) == 0
