"""Which database this is: a copy, a gap, another owner."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, make_url, text

from tests.integration.conftest import claim_now, open_all
from tests.support.backup import dump, restore
from tests.support.book import Book
from tests.support.wrong_clock import SetClock
from worker.database.clock import DatabaseClock
from worker.database.engine import Sessions, create_database_engine, session_factory
from worker.domain.clock import Clock, system_clock
from worker.ledger import lookup_queue
from worker.ledger.charging_hold import charging_is_allowed, declare_restored
from worker.ledger.database_identity import TOUCH_EVERY, HoldPolicy, WrongDatabase

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
POLICY = HoldPolicy(
    mode="sandbox", prefix="again", gap=timedelta(minutes=5), gap_wait=timedelta(0), quiet_period=timedelta(minutes=30)
)


def look(sessions: Sessions, *, now: datetime | Clock = NOW, hold_policy: HoldPolicy = POLICY) -> bool:
    with sessions.begin() as session:
        return charging_is_allowed(session, hold_policy, now=now)


def held(sessions: Sessions) -> list[tuple[str, datetime, datetime]]:
    with sessions() as session:
        rows = session.execute(text("SELECT reason, since, until FROM sweeps WHERE finished_at IS NULL ORDER BY id"))
        return [(row.reason, row.since, row.until) for row in rows]


@pytest.fixture(autouse=True)
def _seen_just_now(sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.execute(text("UPDATE database_identity SET seen_at = :now"), {"now": NOW})


@pytest.fixture
def restored(database_url: str, engine: Engine, tmp_path: Path) -> Iterator[Sessions]:
    engine.dispose()
    dump(database_url, tmp_path / "backup")
    restore(database_url, tmp_path / "backup")
    copy = create_database_engine(database_url, actor="test")
    yield session_factory(copy)
    copy.dispose()


def test_charging_is_allowed_in_a_database_worked_with_all_along(sessions: Sessions):
    for minutes in range(0, 60, 4):
        assert look(sessions, now=NOW + timedelta(minutes=minutes))
    assert held(sessions) == []


def test_a_restored_database_is_held_until_the_quiet_period_is_over(restored: Sessions):
    noticed = NOW + timedelta(minutes=1)
    assert not look(restored, now=noticed)
    assert held(restored) == [("restored", NOW - timedelta(minutes=10), noticed + POLICY.quiet_period)]
    assert not look(restored, now=noticed + timedelta(seconds=1))
    assert len(held(restored)) == 1, "noticed once"


def test_a_copy_made_as_a_template_is_another_database(database_url: str, engine: Engine):
    engine.dispose()
    name = f"{make_url(database_url).database}_copy"
    with run_as_admin(database_url) as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {make_url(database_url).database}"))
    copy = create_database_engine(in_database(database_url, name), actor="test")
    assert not look(session_factory(copy))
    copy.dispose()
    with run_as_admin(database_url) as connection:
        connection.execute(text(f"DROP DATABASE {name}"))


def in_database(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


@contextmanager
def run_as_admin(url: str) -> Iterator[Connection]:
    admin = create_database_engine(in_database(url, "postgres"), actor="test")
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection
    admin.dispose()


def test_gap_holds_charging_until_its_sweep_has_ended(sessions: Sessions):
    later = NOW + timedelta(minutes=5, seconds=1)
    assert not look(sessions, now=later)
    assert held(sessions) == [("gap", NOW - timedelta(minutes=10), later)]
    with sessions.begin() as session:
        session.execute(text("UPDATE sweeps SET position = until, finished_at = until"))
    assert look(sessions, now=later)


def test_gap_with_real_money_waits_for_what_may_be_on_its_way(sessions: Sessions):
    later = NOW + timedelta(hours=1)
    assert not look(sessions, now=later, hold_policy=replace(POLICY, gap_wait=POLICY.quiet_period))
    assert held(sessions) == [("gap", NOW - timedelta(minutes=10), later + POLICY.quiet_period)]


WORK = """
    INSERT INTO attempts (charge_id, billing_key_id, number, merchant_uid, status, status_at, sends, started_at,
                          lease_until, imp_uid)
    SELECT c.id, NULL, a.number, 'uid' || a.number, 'paid', a.at, 1, a.at, a.at + a.lease, 'imps_' || a.number
    FROM charges c, (VALUES (2, CAST(:first AS timestamptz), interval '1 minute'),
                            (3, CAST(:second AS timestamptz), :lease)) AS a(number, at, lease)
    ORDER BY a.number
"""


@pytest.mark.parametrize(
    ("first", "second", "lease", "since"),
    [
        (-120, -60, 60, -60),
        (-120, +60, 60, 0),
        (-60, -9000, 0, -60),
    ],
    ids=["the newest counts", "a clock that is ahead does not", "what a sweep has adopted does not"],
)
def test_a_hold_compares_from_the_newest_work_that_the_database_knows_of(
    sessions: Sessions, book: Book, first: int, second: int, lease: int, since: int
):
    book.subscribe(now=NOW)
    open_all(sessions, NOW)
    with sessions.begin() as session:
        at = {"first": NOW + timedelta(minutes=first), "second": NOW + timedelta(minutes=second)}
        session.execute(text(WORK), {**at, "lease": timedelta(seconds=lease)})
        declare_restored(session, POLICY, now=NOW)
    assert held(sessions)[0][1] == NOW + timedelta(minutes=since) - timedelta(minutes=10)


def test_work_of_a_clock_that_was_ahead_hides_nothing_once_newer_work_shows_it(sessions: Sessions, book: Book):
    """Two thousand newer attempts by the right clock; the oldest of all says that it began tomorrow."""
    book.subscribe(now=NOW)
    open_all(sessions, NOW)
    with sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text("""
            INSERT INTO attempts (charge_id, billing_key_id, number, merchant_uid, status, status_at, sends, started_at,
                                  lease_until, imp_uid)
            SELECT n, NULL, 1, 'uid' || n, 'paid', :now, 1, v.at, v.at + interval '1 minute', 'imps_' || n
            FROM generate_series(1, 2000) n
            CROSS JOIN LATERAL (SELECT CASE WHEN n = 1 THEN CAST(:now AS timestamptz) + interval '1 day'
                                       ELSE CAST(:now AS timestamptz) - interval '3 hours' END AS at) v
            ORDER BY n"""),
            {"now": NOW},
        )
        declare_restored(session, POLICY, now=NOW)
    assert held(sessions)[0][1] == NOW - timedelta(hours=3, minutes=10)


def test_restore_is_declared_by_an_operator_with_its_time(sessions: Sessions):
    since = NOW - timedelta(hours=3)
    with sessions.begin() as session:
        declare_restored(session, POLICY, now=NOW, since=since)
    assert held(sessions) == [("restored", since - timedelta(minutes=10), NOW + POLICY.quiet_period)]


def test_declared_restore_waits_for_a_worker_that_is_looking_just_now(sessions: Sessions):
    look(sessions)
    later = NOW + TOUCH_EVERY * 2
    with ThreadPoolExecutor(1) as pool:
        with sessions.begin() as worker:
            assert charging_is_allowed(worker, POLICY, now=later)
            person = pool.submit(declare, sessions, later)
        assert person.result() == 1
    assert len(held(sessions)) == 1


def declare(sessions: Sessions, now: datetime) -> int:
    with sessions.begin() as session:
        return declare_restored(session, POLICY, now=now)


def clocked(now: datetime) -> Clock:
    return lambda: now


def test_a_last_look_that_lies_ahead_holds_for_a_quiet_period_from_now(sessions: Sessions):
    with sessions.begin() as session:
        session.execute(text("UPDATE database_identity SET seen_at = :ahead"), {"ahead": NOW + timedelta(hours=2)})
    assert not look(sessions, now=clocked(NOW))
    assert held(sessions) == [("clock", NOW - timedelta(minutes=10), NOW + POLICY.quiet_period)]
    assert not look(sessions, now=clocked(NOW + timedelta(seconds=1)))
    assert len(held(sessions)) == 1


def test_a_look_that_lies_seconds_ahead_is_no_step(sessions: Sessions):
    with sessions.begin() as session:
        session.execute(text("UPDATE database_identity SET seen_at = :ahead"), {"ahead": NOW + timedelta(seconds=29)})
    assert look(sessions, now=clocked(NOW))


def test_an_instant_of_before_the_last_look_does_not_move_that_back(sessions: Sessions):
    """As of a worker that was frozen for an hour after it had read the clock."""
    look(sessions, now=NOW + timedelta(hours=1), hold_policy=replace(POLICY, gap=timedelta(days=1)))
    assert look(sessions, now=NOW, hold_policy=replace(POLICY, gap=timedelta(days=1)))
    assert look(sessions, now=NOW + timedelta(hours=1)), "no gap"


class Stepping:
    """A worker whose database's clock is set."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions, self.database = sessions, SetClock()
        self.database.set(seconds=(NOW - system_clock()).total_seconds())
        self.clock = DatabaseClock(elapsed=self.database.elapsed_seconds, ask=self.database.ask)
        with sessions() as session:
            self.clock.sync(session)

    def look(self) -> bool:
        return look(self.sessions, now=self.clock)

    @property
    def now(self) -> datetime:
        return self.clock()

    def waits(self) -> list[timedelta]:
        """How long each hold lasts from now on."""
        with self.sessions() as session:
            rows = session.scalars(text("SELECT until FROM sweeps WHERE holds_claims AND finished_at IS NULL"))
            return [until - self.now for until in rows]


def is_about(wait: timedelta, whole: timedelta) -> bool:
    return whole - timedelta(minutes=5) < wait <= whole


@pytest.mark.parametrize("step", [{"hours": 2}, {"hours": -2}, {"days": 400}, {"minutes": 1}, {"minutes": -1}], ids=str)
def test_a_step_of_the_databases_clock_holds_for_a_quiet_period(sessions: Sessions, step: dict[str, float]):
    worker = Stepping(sessions)
    assert worker.look()
    worker.database.set(**step)
    assert not worker.look()
    (wait,) = worker.waits()
    assert is_about(wait, POLICY.quiet_period)
    assert not worker.look()
    assert len(held(sessions)) == 1, "noticed once"


def test_a_step_and_its_correction_hold_for_a_quiet_period_from_the_correction(sessions: Sessions):
    worker = Stepping(sessions)
    worker.look()
    worker.database.set(hours=2)
    assert not worker.look()
    worker.database.set(hours=-2)
    assert not worker.look()
    (wait,) = worker.waits()
    assert is_about(wait, POLICY.quiet_period), "and not the two hours besides"


def test_a_step_that_another_worker_has_held_for_holds_no_second_time(sessions: Sessions):
    worker, idle = Stepping(sessions), Stepping(sessions)
    worker.look()
    for each in (worker, idle):
        each.database.set(hours=2)
    assert not worker.look()
    with sessions.begin() as session:
        session.execute(text("UPDATE sweeps SET position = until, finished_at = until"))
    for each in (worker, idle):
        each.database.pass_time(3600)
    with sessions.begin() as session:
        session.execute(text("UPDATE database_identity SET seen_at = :now"), {"now": worker.now})
    assert idle.look()
    assert idle.clock.step is None


def test_a_step_whose_hold_was_rolled_back_is_still_to_be_held_for(sessions: Sessions):
    worker = Stepping(sessions)
    worker.look()
    worker.database.set(hours=2)
    with sessions() as session:
        assert not charging_is_allowed(session, POLICY, now=worker.clock)
    assert held(sessions) == []
    assert not worker.look()
    assert [reason for reason, _, _ in held(sessions)] == ["clock"]


@pytest.mark.parametrize("hours", [2, -2])
def test_a_hold_that_stands_at_a_step_lasts_a_quiet_period_from_there(sessions: Sessions, hours: int):
    worker = Stepping(sessions)
    with sessions.begin() as session:
        declare_restored(session, POLICY, now=worker.now)
    worker.database.set(hours=hours)
    assert not worker.look()
    assert [reason for reason, _, _ in held(sessions)] == ["restored"]
    (wait,) = worker.waits()
    assert is_about(wait, POLICY.quiet_period)


def test_leases_and_waits_at_a_step_count_from_there(sessions: Sessions, book: Book):
    """Whichever way: nothing is over by it, and nothing lasts for as long as the clock was set back."""
    for hours in (2, -2):
        worker = Stepping(sessions)
        book.subscribe(now=worker.now, starts_on=(worker.now - timedelta(days=2)).date())
        open_all(sessions, worker.now)
        claim_now(sessions, now=worker.now)
        worker.database.set(hours=hours)
        assert not worker.look()
        with sessions.begin() as session:
            assert lookup_queue.expire_leases(session, now=worker.now, limit=10) == 0
            lease = session.scalars(text("SELECT max(lease_until) FROM attempts WHERE status = 'started'")).one()
            session.execute(text("UPDATE sweeps SET position = until, finished_at = until"))
        assert timedelta(0) < lease - worker.now <= POLICY.gap / 2


def test_workers_that_look_while_charging_is_held_make_no_second_gap(sessions: Sessions):
    assert not look(sessions, now=NOW + timedelta(hours=1))
    for minutes in range(60, 120, 4):
        assert not look(sessions, now=NOW + timedelta(minutes=minutes))
    assert len(held(sessions)) == 1


def test_ten_workers_that_notice_at_once_begin_one_sweep(sessions: Sessions):
    later = NOW + timedelta(hours=1)
    with ThreadPoolExecutor(10) as pool:
        assert not any(pool.map(lambda _: look(sessions, now=later), range(10)))
    assert len(held(sessions)) == 1


def test_a_claim_writes_nothing_as_long_as_the_last_look_is_fresh(sessions: Sessions):
    look(sessions)
    look(sessions, now=NOW + TOUCH_EVERY)
    with sessions() as session:
        assert session.scalars(text("SELECT seen_at FROM database_identity")).one() == NOW


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"mode": "live"}, "sandbox mode"),
        ({"prefix": "shop"}, "AGAIN_MERCHANT_UID_PREFIX"),
    ],
)
def test_a_database_has_one_mode_and_one_prefix_for_good(sessions: Sessions, changes: dict[str, Any], told: str):
    look(sessions)
    with pytest.raises(WrongDatabase, match=told):
        look(sessions, hold_policy=replace(POLICY, **changes))
