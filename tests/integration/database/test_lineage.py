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

from tests.fixtures.backup import dump, restore
from worker.database.lineage import TOUCH_EVERY, Watch, WrongDatabase, declare_restored, goes_on
from worker.database.session import Sessions, create_database_engine, session_factory

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
WATCH = Watch(
    mode="sandbox", prefix="again", gap=timedelta(minutes=5), gap_wait=timedelta(0), quiet_period=timedelta(minutes=30)
)


def look(sessions: Sessions, *, now: datetime = NOW, watch: Watch = WATCH) -> bool:
    with sessions.begin() as session:
        return goes_on(session, watch, now=now)


def held(sessions: Sessions) -> list[tuple[str, datetime, datetime]]:
    with sessions() as session:
        rows = session.execute(text("SELECT reason, since, until FROM sweeps WHERE finished_at IS NULL ORDER BY id"))
        return [(row.reason, row.since, row.until) for row in rows]


@pytest.fixture(autouse=True)
def _seen_just_now(sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.execute(text("UPDATE lineage SET seen_at = :now"), {"now": NOW})


@pytest.fixture
def restored(database_url: str, engine: Engine, tmp_path: Path) -> Iterator[Sessions]:
    engine.dispose()
    dump(database_url, tmp_path / "backup")
    restore(database_url, tmp_path / "backup")
    copy = create_database_engine(database_url, actor="test")
    yield session_factory(copy)
    copy.dispose()


def test_a_database_that_is_worked_with_all_along_goes_on(sessions: Sessions):
    for minutes in range(0, 60, 4):
        assert look(sessions, now=NOW + timedelta(minutes=minutes))
    assert held(sessions) == []


def test_a_restored_database_is_held_until_the_quiet_period_is_over(restored: Sessions):
    noticed = NOW + timedelta(minutes=1)
    assert not look(restored, now=noticed)
    assert held(restored) == [("restored", NOW - timedelta(minutes=10), noticed + WATCH.quiet_period)]
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


def test_after_a_gap_nothing_is_done_until_the_sweep_has_ended(sessions: Sessions):
    later = NOW + timedelta(minutes=5, seconds=1)
    assert not look(sessions, now=later)
    assert held(sessions) == [("gap", NOW - timedelta(minutes=10), later)]
    with sessions.begin() as session:
        session.execute(text("UPDATE sweeps SET position = until, finished_at = until"))
    assert look(sessions, now=later)


def test_with_real_money_a_gap_waits_for_what_may_be_on_its_way(sessions: Sessions):
    later = NOW + timedelta(hours=1)
    assert not look(sessions, now=later, watch=replace(WATCH, gap_wait=WATCH.quiet_period))
    assert held(sessions) == [("gap", NOW - timedelta(minutes=10), later + WATCH.quiet_period)]


def test_a_person_says_that_and_since_when_it_was_restored(sessions: Sessions):
    since = NOW - timedelta(hours=3)
    with sessions.begin() as session:
        declare_restored(session, WATCH, now=NOW, since=since)
    assert held(sessions) == [("restored", since - timedelta(minutes=10), NOW + WATCH.quiet_period)]


def test_a_person_waits_for_a_worker_that_is_looking_just_now(sessions: Sessions):
    look(sessions)
    later = NOW + TOUCH_EVERY * 2
    with ThreadPoolExecutor(1) as pool:
        with sessions.begin() as worker:
            assert goes_on(worker, WATCH, now=later)
            person = pool.submit(declare, sessions, later)
        assert person.result() == 1
    assert len(held(sessions)) == 1


def declare(sessions: Sessions, now: datetime) -> int:
    with sessions.begin() as session:
        return declare_restored(session, WATCH, now=now)


def test_a_time_that_lies_ahead_is_set_right(sessions: Sessions):
    with sessions.begin() as session:
        session.execute(text("UPDATE lineage SET seen_at = :ahead"), {"ahead": NOW + timedelta(hours=2)})
    assert look(sessions)
    assert not look(sessions, now=NOW + timedelta(hours=1)), "an hour of silence is a gap"


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
        assert session.scalars(text("SELECT seen_at FROM lineage")).one() == NOW


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
        look(sessions, watch=replace(WATCH, **changes))
