"""Opening charges on a real PostgreSQL: each due period once, however often it is opened."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Barrier

import pytest
from sqlalchemy import text

from tests.integration.conftest import NOW, open_all
from tests.support.book import Book
from worker.charging import open_due
from worker.charging.open_due import open_due_charges
from worker.database.engine import Sessions


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_due, "CHUNK", 50)


def periods(sessions: Sessions) -> list[tuple[int, str, str]]:
    with sessions() as session:
        rows = session.execute(text("SELECT subscription_id, period_start, status FROM charges ORDER BY 1, 2"))
        return [(row.subscription_id, str(row.period_start.date()), row.status) for row in rows]


def test_ten_beats_at_once_open_each_period_once(book: Book, sessions: Sessions):
    for _ in range(130):  # more than one chunk
        book.subscribe(now=NOW)
    barrier = Barrier(10)

    def beat(_: int) -> int:
        barrier.wait()
        return open_all(sessions).opened

    with ThreadPoolExecutor(10) as threads:
        opened = sum(threads.map(beat, range(10)))
    assert opened == len(periods(sessions)) == len({row[:2] for row in periods(sessions)}) == 130


def test_a_period_that_has_its_charge_is_left_alone(book: Book, sessions: Sessions):
    book.subscribe(now=NOW)
    open_all(sessions)
    with sessions.begin() as session:
        # As after a crash that a database without transactions would leave: the charge stands, the date does not.
        session.execute(text("UPDATE subscriptions SET next_charge_at = current_period_start"))
        session.execute(text("UPDATE charges SET deferrals = 7"))
    assert open_all(sessions).opened == 0
    with sessions() as session:
        assert session.scalars(text("SELECT deferrals FROM charges")).all() == [7]


def test_subscriptions_of_one_plan_are_decided_each_by_its_own_calendar_and_key(book: Book, sessions: Sessions):
    starts = [date(2025, 12, 31), date(2026, 1, 4), date(2025, 11, 30), date(2025, 12, 31)]
    subscribed = [book.subscribe(now=NOW, starts_on=on) for on in starts]
    with sessions.begin() as session:
        session.execute(text("UPDATE subscriptions SET billing_key_id = NULL WHERE id = :id"), {"id": subscribed[2].id})
        session.execute(text("UPDATE plans SET max_open_charges = 1"))
    assert open_all(sessions).subscriptions == 4
    assert periods(sessions) == [
        (subscribed[0].id, "2025-12-31", "due"),
        (subscribed[1].id, "2026-01-04", "due"),
        (subscribed[2].id, "2025-11-30", "due"),
        (subscribed[2].id, "2025-12-30", "void"),
        (subscribed[3].id, "2025-12-31", "due"),
    ]


def test_charges_are_inserted_into_their_queue_without_a_trigger(book: Book, sessions: Sessions):
    for pg in ("kakaopay", "payco"):
        book.subscribe(now=NOW, pg=pg)
    with sessions.begin() as session:
        session.execute(text("ALTER TABLE charges DISABLE TRIGGER charges_enter_queue"))
    open_all(sessions)
    with sessions() as session:
        assert session.scalars(text("SELECT queue FROM charges ORDER BY queue")).all() == ["kakaopay", "payco"]


def test_a_change_of_price_touches_no_open_charge(book: Book, sessions: Sessions):
    book.subscribe(now=NOW)
    open_all(sessions)
    with sessions.begin() as session:
        session.execute(text("UPDATE plans SET amount = 99000"))
    open_all(sessions, NOW + timedelta(days=32))
    with sessions() as session:
        assert session.scalars(text("SELECT amount FROM charges ORDER BY period_start")).all() == [9900, 99000]


CATCH_UP = {
    "all": ["due", "due", "due", "due"],
    "latest": ["void", "void", "void", "due"],
    "skip": ["void", "void", "void", "void"],
}


@pytest.mark.parametrize("policy", CATCH_UP)
def test_every_missed_period_gets_a_charge_whatever_becomes_of_it(policy: str, book: Book, sessions: Sessions):
    book.plan("late", now=NOW, catch_up=policy)
    book.subscribe(now=NOW, plan="late", starts_on=date(2025, 10, 1))
    open_all(sessions)
    opened = periods(sessions)
    assert [status for _, _, status in opened] == CATCH_UP[policy]
    assert [start for _, start, _ in opened] == ["2025-10-01", "2025-11-01", "2025-12-01", "2026-01-01"]


def test_subscription_far_behind_is_caught_up_in_portions(book: Book, sessions: Sessions):
    book.plan("daily", now=NOW, cadence="day")
    book.subscribe(now=NOW, plan="daily", starts_on=date(2025, 12, 1))
    with sessions() as session:
        assert session.scalar(text("SELECT count(*) FROM charges")) == 0
    counts = []
    for _ in range(9):
        before = len(periods(sessions))
        open_due_charges(sessions, now=NOW, limit=5)
        counts.append(len(periods(sessions)) - before)
    assert sum(counts) == 36
    assert len({start for _, start, _ in periods(sessions)}) == 36
    assert max(counts) == 5


def test_trial_goes_on_when_its_first_period_begins_until_that_is_paid(book: Book, sessions: Sessions):
    book.plan("monthly", now=NOW, trial_days="14")
    subscribed = book.subscribe(now=NOW, starts_on=date(2026, 1, 19))
    assert open_all(sessions).opened == 0
    open_all(sessions, NOW + timedelta(days=15))
    with sessions() as session:
        row = session.execute(text("SELECT status, current_period_end FROM subscriptions")).one()
    assert row.status == "trialing"
    assert str(row.current_period_end.date()) == "2026-02-19"
    assert subscribed.id


def test_chunk_of_unreadable_subscriptions_keeps_no_other_waiting(book: Book, sessions: Sessions):
    book.plan("broken", now=NOW)
    for _ in range(51):  # more than a chunk, and older than the healthy one
        book.subscribe(now=NOW, plan="broken", starts_on=date(2026, 1, 4))
    healthy = book.subscribe(now=NOW)
    with sessions.begin() as session:
        session.execute(text("UPDATE plans SET cadence = 'now and then' WHERE code = 'broken'"))
    assert open_all(sessions).opened == 1
    assert [row[0] for row in periods(sessions)] == [healthy.id]
