"""Turning the sandbox's clock: what goes by it, what does not grow old, and what stands against it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from tests.integration.conftest import NOW, claim_now, open_all
from tests.support.book import Book
from tests.support.sandbox import wait_until
from worker.database import heartbeats
from worker.database.clock import DatabaseClock
from worker.database.engine import Sessions
from worker.domain.clock import system_clock
from worker.domain.errors import Refused
from worker.ledger.charging_hold import charging_is_allowed
from worker.ledger.clock_turns import clock_state, known_ahead, turn
from worker.ledger.database_identity import HoldPolicy

SETTLED = {
    "paid": text("""
        UPDATE charges SET status = 'paid', status_at = :at, paid_at = :at, paid_elsewhere = 'cash',
                           next_attempt_at = NULL, queue = NULL
    """),
    "void": text("UPDATE charges SET status = 'void', status_at = :at, next_attempt_at = NULL, queue = NULL"),
    "uncollectible": text("""
        UPDATE charges SET status = 'uncollectible', status_at = :at, next_attempt_at = NULL, queue = NULL
    """),
}

WAITING = text("SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'heartbeats'::regclass AND NOT granted)")

MONTH = timedelta(days=31)
CLOSE = timedelta(seconds=30)
POLICY = HoldPolicy(
    mode="sandbox", prefix="test", gap=timedelta(minutes=5), gap_wait=timedelta(0), quiet_period=timedelta(minutes=30)
)


def turned(sessions: Sessions, ahead: timedelta) -> bool:
    with sessions.begin() as session:
        return turn(session, ahead, prefix="test")


def is_waiting(sessions: Sessions) -> bool:
    """Return whether a statement waits for a lock on the signs of life."""
    with sessions() as session:
        return bool(session.scalars(WAITING).one())


@pytest.fixture(autouse=True)
def _seen_just_now(sessions: Sessions) -> None:
    """The template of the test's database may be older than a silence."""
    with sessions.begin() as session:
        session.execute(text("UPDATE database_identity SET seen_at = clock_timestamp()"))


@pytest.fixture
def clock(engine: Engine) -> DatabaseClock:
    clock = DatabaseClock(follows_turns=True)
    clock.sync(engine)
    return clock


def test_clock_that_is_turned_is_read_in_transactions_and_between_them(
    clock: DatabaseClock, engine: Engine, sessions: Sessions
):
    assert turned(sessions, MONTH)
    with sessions() as session:
        assert abs(clock.read(session) - system_clock() - MONTH) < CLOSE
    assert abs(clock() - system_clock() - MONTH) < CLOSE
    other = DatabaseClock(follows_turns=True)
    other.sync(engine)
    assert abs(other() - system_clock() - MONTH) < CLOSE


def test_clock_of_live_mode_goes_by_the_real_time(engine: Engine, sessions: Sessions):
    assert turned(sessions, MONTH)
    clock = DatabaseClock()
    clock.sync(engine)
    with sessions() as session:
        assert abs(clock.read(session) - system_clock()) < CLOSE
    assert abs(clock() - system_clock()) < CLOSE


def test_turn_is_no_step_and_holds_no_charging(clock: DatabaseClock, engine: Engine, sessions: Sessions):
    with sessions.begin() as session:
        assert charging_is_allowed(session, POLICY, now=clock)
    assert turned(sessions, MONTH)
    clock.sync(engine)
    assert clock.step is None
    with sessions.begin() as session:
        assert charging_is_allowed(session, POLICY, now=clock)


def test_parts_that_were_seen_just_now_still_were(clock: DatabaseClock, engine: Engine, sessions: Sessions):
    with sessions.begin() as session:
        heartbeats.beat(session, heartbeats.BEAT, now=clock())
    assert turned(sessions, MONTH)
    clock.sync(engine)
    with sessions() as session:
        assert abs(clock() - heartbeats.last_seen(session)[heartbeats.BEAT]) < CLOSE


def test_part_that_is_seen_while_the_clock_is_turned_is_seen_at_the_turned_time(
    clock: DatabaseClock, sessions: Sessions
):
    seen = ["a part that asked before", "one that waits for the turn"]
    now, ahead = clock(), clock.ahead
    with sessions() as turning, ThreadPoolExecutor(1) as beside:
        with sessions.begin() as session:
            heartbeats.beat(session, seen[0], now=now, ahead=ahead)
        assert turn(turning, MONTH, prefix="test")

        def be_seen() -> None:
            with sessions.begin() as session:
                heartbeats.beat(session, seen[1], now=now, ahead=ahead)

        waits = beside.submit(be_seen)
        wait_until(lambda: is_waiting(sessions), "it did not wait for the turn")
        turning.commit()
        waits.result()
    with sessions.begin() as session:
        assert {part: heartbeats.last_seen(session).get(part) for part in seen} == dict.fromkeys(seen, now + MONTH)
        for part in seen:  # whose process has not asked since
            heartbeats.beat(session, part, now=now, ahead=ahead)
        assert {part: heartbeats.last_seen(session).get(part) for part in seen} == dict.fromkeys(seen, now + MONTH)


def test_clock_is_not_turned_under_a_call(book: Book, sessions: Sessions):
    book.plan(now=NOW)
    book.subscribe(now=NOW)
    open_all(sessions)
    assert len(claim_now(sessions)) == 1
    assert not turned(sessions, MONTH)
    with sessions() as session:
        assert clock_state(session).ahead == timedelta(0)


def test_clock_is_not_turned_under_a_transaction_that_decides_by_it(clock: DatabaseClock, sessions: Sessions):
    with sessions() as deciding:
        clock.read(deciding)
        assert not turned(sessions, MONTH)
    assert turned(sessions, MONTH)


def test_transaction_that_decides_waits_for_a_turn_and_goes_by_it(clock: DatabaseClock, sessions: Sessions):
    with sessions() as turning:
        assert turn(turning, MONTH, prefix="test")
        with sessions() as deciding:
            deciding.execute(text("SET LOCAL lock_timeout = '50ms'"))
            with pytest.raises(Exception, match="lock timeout"):
                clock.read(deciding)
        turning.commit()
    with sessions() as deciding:
        assert abs(clock.read(deciding) - system_clock() - MONTH) < CLOSE


def test_clock_is_turned_back_as_long_as_nothing_is_settled(sessions: Sessions):
    assert turned(sessions, MONTH)
    assert turned(sessions, timedelta(days=1))
    assert turned(sessions, -MONTH)
    assert turned(sessions, timedelta(0))


@pytest.mark.parametrize("settled", SETTLED)
def test_clock_is_not_turned_back_before_what_is_settled(settled: str, book: Book, sessions: Sessions, engine: Engine):
    assert turned(sessions, MONTH)
    at = system_clock() + MONTH
    book.plan(now=at, charge_hour="0")
    book.subscribe(now=at)
    assert open_all(sessions, now=at).opened == 1
    with sessions.begin() as session:
        session.execute(SETTLED[settled], {"at": at})
    with pytest.raises(Refused, match="cannot be turned back"):
        turned(sessions, timedelta(days=1))
    assert abs(known_ahead(engine) - MONTH) < CLOSE
    assert turned(sessions, 2 * MONTH)


def test_clock_is_turned_ten_years_ahead_at_most(sessions: Sessions):
    with pytest.raises(Refused, match="ten years ahead at most"):
        turned(sessions, timedelta(days=3_661))


def test_database_without_tables_says_nothing_of_a_turn(engine: Engine):
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE database_identity RENAME TO elsewhere"))
    try:
        assert known_ahead(engine) == timedelta(0)
    finally:
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE elsewhere RENAME TO database_identity"))


def test_audit_goes_by_the_turned_clock(sessions: Sessions):
    assert turned(sessions, MONTH)
    with sessions.begin() as session:
        given: datetime = session.execute(text("SELECT given_at()")).scalar_one()
    assert abs(given - system_clock() - MONTH) < CLOSE
