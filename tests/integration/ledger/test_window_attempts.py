"""Attempts of payment windows against a real PostgreSQL: a window and a pump never have the same period."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.integration.conftest import NOW, claim_now, open_all
from tests.integration.ledger.test_claiming import give_back
from tests.support.book import Book
from worker.database.engine import Sessions
from worker.domain.merchant_uid import derive
from worker.ledger import window_attempts

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def charge_of(sessions: Sessions, book: Book) -> int:
    book.subscribe(now=NOW)
    open_all(sessions)
    with sessions() as session:
        return int(session.execute(text("SELECT id FROM charges")).scalar_one())


def open_window(session: Session, charge_id: int, *, number: int = 1) -> bool:
    charge = window_attempts.locked_charge(session, charge_id)
    assert charge is not None
    assert charge.billing_key_id is not None
    return window_attempts.begin(
        session,
        charge,
        number=number,
        merchant_uid=derive("test", charge.subscription_code, charge.period_start, number),
        billing_key_id=charge.billing_key_id,
        lease=HOUR,
        life=DAY,
        now=NOW,
    )


def test_charge_with_a_committed_window_is_not_claimed(book: Book, sessions: Sessions):
    charge_id = charge_of(sessions, book)
    with sessions.begin() as session:
        assert open_window(session, charge_id)
        assert claim_now(sessions) == []  # the window's transaction is still open
    assert claim_now(sessions, now=NOW + 9 * DAY) == []


def test_a_window_does_not_open_for_a_charge_that_a_pump_has(book: Book, sessions: Sessions):
    charge_id = charge_of(sessions, book)
    (claimed,) = claim_now(sessions)
    with sessions.begin() as session:
        assert not open_window(session, charge_id)
        with pytest.raises(IntegrityError, match="attempts_open_key"):
            open_window(session, charge_id, number=2)
        session.rollback()
    give_back(sessions, claimed)
    with sessions.begin() as session:
        assert open_window(session, charge_id)
    with sessions() as session:
        rows = session.execute(text("SELECT number, sends, via, window_until FROM attempts")).all()
    assert rows == [(1, 2, "window", NOW + DAY)], "proved not charged, it is the same order once more"


def test_a_pump_and_a_window_at_the_same_moment_make_one_attempt(book: Book, sessions: Sessions):
    for _ in range(20):
        book.subscribe(now=NOW)
    open_all(sessions)
    with sessions() as session:
        charges = set(session.scalars(text("SELECT id FROM charges")))
    barrier = Barrier(2)

    def customers() -> set[int]:
        barrier.wait()
        opened = set()
        for charge_id in sorted(charges):
            with sessions.begin() as session:
                if open_window(session, charge_id):
                    opened.add(charge_id)
        return opened

    def pump() -> set[int]:
        barrier.wait()
        claimed = set()
        for _ in range(40):
            claimed |= {attempt.charge.id for attempt in claim_now(sessions, limit=1)}
        return claimed

    with ThreadPoolExecutor(2) as threads:
        by_customers, by_pump = threads.submit(customers), threads.submit(pump)
    assert by_customers.result() & by_pump.result() == set()
    assert by_customers.result() | by_pump.result() == charges


def test_a_window_without_an_end_and_a_window_that_declines_cannot_be_written(book: Book, sessions: Sessions):
    charge_id = charge_of(sessions, book)
    with sessions.begin() as session:
        open_window(session, charge_id)
    for change in ("window_until = NULL", "status = 'declined', decline_kind = 'soft'"):
        with pytest.raises(IntegrityError, match="attempts_window_check"), sessions.begin() as session:
            session.execute(text(f"UPDATE attempts SET {change}"))
