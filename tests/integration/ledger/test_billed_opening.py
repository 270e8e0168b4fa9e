"""Charges that differ from their plan by adjustments, on a real PostgreSQL: billed, used up, carried and restored."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError

from tests.integration.conftest import NOW, open_all
from tests.support.book import Book, Subscribed
from worker.database.engine import Sessions
from worker.ledger import adjustments
from worker.ledger.new_charges import items_of
from worker.ledger.terms import own_terms
from worker.ledger.upcoming import upcoming_periods
from worker.ledger.voiding import void


def give(sessions: Sessions, subscription: Subscribed, kind: str, **terms: Any) -> int:
    row = {"subscription_id": subscription.id, "kind": kind, "description": f"a {kind}", **terms}
    with sessions.begin() as session:
        return adjustments.add(session, [row], now=NOW)[0]


def charges(sessions: Sessions) -> Sequence[Row[Any]]:
    with sessions() as session:
        return session.execute(text("SELECT * FROM charges ORDER BY period_start")).all()


def left(sessions: Sessions, adjustment_id: int) -> tuple[Any, ...]:
    with sessions() as session:
        row = session.execute(
            text("SELECT amount_left, periods_left, used_at IS NULL FROM adjustments WHERE id = :id"),
            {"id": adjustment_id},
        ).one()
        return tuple(row)


def lines(sessions: Sessions, charge_id: int) -> list[tuple[str, int]]:
    with sessions() as session:
        return [(each.kind, each.amount) for each in items_of(session, charge_id)]


def test_plain_charge_has_its_plan_as_its_item(book: Book, sessions: Sessions):
    book.subscribe(now=NOW)
    open_all(sessions)
    (charge,) = charges(sessions)
    assert lines(sessions, charge.id) == [("plan", 9900)]


def test_quantity_and_later_price_make_the_charge(book: Book, sessions: Sessions):
    subscription = book.subscribe(now=NOW)
    with sessions.begin() as session:
        session.execute(
            text("""INSERT INTO plan_prices (plan_id, version, amount, tax_free, sold_from, created_at)
                    SELECT id, 2, 11000, 1000, :now, :now FROM plans"""),
            {"now": NOW},
        )
        session.execute(text("UPDATE subscriptions SET quantity = 3, price_version = 2"))
    open_all(sessions)
    (charge,) = charges(sessions)
    assert (charge.amount, charge.tax_free) == (33_000, 3000)
    with sessions() as session:
        (item,) = items_of(session, charge.id)
        assert own_terms(session, subscription.id).plan.amount == 33_000
    assert (item.quantity, item.unit_amount, item.amount) == (3, 11_000, 33_000)


def test_discount_is_used_for_its_periods_and_then_over(book: Book, sessions: Sessions):
    subscription = book.subscribe(now=NOW, starts_on=(NOW - timedelta(days=70)).date())
    discount = give(sessions, subscription, "discount", percent=50, periods=2)
    open_all(sessions)
    assert [charge.amount for charge in charges(sessions)] == [4950, 4950, 9900]
    assert left(sessions, discount) == (None, 0, False)


def test_charge_of_nothing_is_paid_as_it_is_opened_and_what_is_left_is_carried(book: Book, sessions: Sessions):
    subscription = book.subscribe(now=NOW, starts_on=(NOW - timedelta(days=70)).date())
    give(sessions, subscription, "discount", percent=100, periods=1)
    give(sessions, subscription, "one_off", amount=50, tax_free=50)
    opened = open_all(sessions)
    assert (opened.opened, opened.paid) == (2, 1)
    first, second, _ = charges(sessions)
    assert (first.status, first.amount, first.paid_at, first.next_attempt_at) == ("paid", 0, NOW, None)
    assert lines(sessions, first.id) == [("plan", 9900), ("one_off", 50), ("discount", -9900), ("carried", -50)]
    assert (second.status, second.amount, second.tax_free) == ("due", 9950, 50)
    assert lines(sessions, second.id) == [("plan", 9900), ("carried", 50)]


def test_what_a_void_charge_had_used_is_there_for_the_next(book: Book, sessions: Sessions):
    subscription = book.subscribe(now=NOW)
    discount = give(sessions, subscription, "discount", amount=900, periods=1)
    credit = give(sessions, subscription, "credit", amount=3000)
    fee = give(sessions, subscription, "one_off", amount=5000)
    open_all(sessions)
    (charge,) = charges(sessions)
    assert charge.amount == 9900 + 5000 - 900 - 3000
    assert not any(left(sessions, each)[-1] for each in (discount, credit, fee))
    with sessions.begin() as session:
        void(session, [charge.id], reason="forgiven", now=NOW)
    assert left(sessions, discount) == (None, 1, True)
    assert left(sessions, credit) == (3000, None, True)
    assert left(sessions, fee) == (None, None, True)


def test_ten_beats_at_once_use_a_credit_once(book: Book, sessions: Sessions):
    subscription = book.subscribe(now=NOW, starts_on=(NOW - timedelta(days=40)).date())
    credit = give(sessions, subscription, "credit", amount=12_000)
    barrier = Barrier(10)

    def beat(_: int) -> int:
        barrier.wait()
        return open_all(sessions).opened

    with ThreadPoolExecutor(10) as threads:
        assert sum(threads.map(beat, range(10))) == 1
    assert [charge.amount for charge in charges(sessions)] == [0, 7800]
    assert left(sessions, credit) == (0, None, False)


def test_upcoming_periods_come_to_what_opening_charges(book: Book, sessions: Sessions):
    subscription = book.subscribe(now=NOW, starts_on=NOW.date() + timedelta(days=1))
    give(sessions, subscription, "discount", percent=30, periods=2)
    give(sessions, subscription, "credit", amount=10_000)
    with sessions() as session:
        row = session.execute(text("SELECT anchor_on, next_charge_at FROM subscriptions")).one()
        coming = upcoming_periods(session, subscription.id, row.anchor_on, row.next_charge_at, now=NOW, count=3)
    open_all(sessions, now=coming[-1].period.start)
    opened = [(charge.period_start, charge.amount) for charge in charges(sessions)]
    assert opened == [(each.period.start, each.bill.amount) for each in coming]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE charge_items SET amount = 1",
        "DELETE FROM charge_items",
        "UPDATE adjustments SET amount = 1",
        "DELETE FROM adjustments",
        "UPDATE adjustments SET amount_left = 0 WHERE kind = 'credit'",
    ],
)
def test_items_and_adjustments_are_not_rewritten(book: Book, sessions: Sessions, damage: str):
    give(sessions, book.subscribe(now=NOW), "credit", amount=12_000)
    open_all(sessions)
    with pytest.raises(IntegrityError), sessions.begin() as session:
        session.execute(text(damage))
