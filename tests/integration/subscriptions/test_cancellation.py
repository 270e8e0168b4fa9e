"""A cancellation beside everything that may be going on: nothing is left owed that is never charged."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic

import pytest
from sqlalchemy import Engine, text

from tests.integration.conftest import NOW, claim_now, open_all
from tests.integration.ledger.test_claiming import POLICY
from tests.integration.ledger.test_write_back import PAID, SOFT
from tests.support.acts import cancel, no_longer_owed
from tests.support.book import Book, Subscribed
from worker.changes.request import RequestedChange
from worker.database.engine import Sessions
from worker.domain.outcomes import (
    NO_ANSWER,
    Declined,
    DeclineKind,
    NotCharged,
    NotChargedReason,
    Outcome,
    Unknown,
    UnknownReason,
)
from worker.domain.settlement import settle
from worker.domain.states import ChargeStatus
from worker.ledger import new_charges
from worker.ledger.due_subscriptions import START, due_subscriptions
from worker.ledger.write_back import apply_settlements, write_back


def statuses(sessions: Sessions, table: str) -> list[str]:
    with sessions() as session:
        return list(session.scalars(text(f"SELECT status FROM {table} ORDER BY id")))


@pytest.fixture
def subscribed(book: Book, sessions: Sessions) -> Subscribed:
    subscribed = book.subscribe(now=NOW)
    open_all(sessions)
    return subscribed


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (PAID, "paid"),
        (SOFT, "void"),  # it would have been retried
        (Declined(DeclineKind.HARD, NO_ANSWER), "void"),
        (Declined(DeclineKind.TRANSIENT, NO_ANSWER), "void"),
        (NotCharged(NotChargedReason.CONNECT_FAILED), "void"),
        (Unknown(UnknownReason.TIMEOUT), "charging"),  # until PortOne has said what became of it
    ],
)
def test_charge_in_flight_at_a_cancellation_ends_paid_or_void(
    subscribed: Subscribed, sessions: Sessions, outcome: Outcome, expected: str
):
    (attempt,) = claim_now(sessions)
    canceled = cancel(sessions, subscribed.code, reason="moved", now=NOW)
    assert canceled.preview is not None
    assert [caution.en for caution in canceled.preview.effect.cautions] != []  # it says that a charge is in flight
    write_back(sessions, [settle(attempt, outcome, now=NOW, policy=POLICY)], now=NOW)
    assert statuses(sessions, "charges") == [expected]
    assert statuses(sessions, "subscriptions") == ["canceled"]


def test_an_unknown_attempt_is_void_when_nothing_was_charged_after_all(subscribed: Subscribed, sessions: Sessions):
    (attempt,) = claim_now(sessions)
    write_back(sessions, [settle(attempt, Unknown(UnknownReason.TIMEOUT), now=NOW, policy=POLICY)], now=NOW)
    cancel(sessions, subscribed.code, reason="moved", now=NOW)
    write_back(sessions, [settle(attempt, NotCharged(NotChargedReason.NOT_FOUND), now=NOW, policy=POLICY)], now=NOW)
    assert statuses(sessions, "charges") == ["void"]


def test_a_canceled_subscription_is_not_revived_by_what_comes_late(subscribed: Subscribed, sessions: Sessions):
    (attempt,) = claim_now(sessions)
    cancel(sessions, subscribed.code, reason="moved", now=NOW)
    write_back(sessions, [settle(attempt, PAID, now=NOW, policy=POLICY)], now=NOW)
    assert statuses(sessions, "subscriptions") == ["canceled"]
    assert claim_now(sessions) == []
    assert open_all(sessions).opened == 0


def test_a_cancellation_waits_for_a_write_back_that_is_half_done(
    subscribed: Subscribed, sessions: Sessions, engine: Engine
):
    (attempt,) = claim_now(sessions)
    with sessions() as session:
        apply_settlements(
            session, [settle(attempt, NotCharged(NotChargedReason.NO_TOKEN), now=NOW, policy=POLICY)], now=NOW
        )
        canceled = _meanwhile(engine, lambda: cancel(sessions, subscribed.code, reason="moved", now=NOW))
        session.commit()
    assert no_longer_owed(canceled.result(10)) == 9900
    assert statuses(sessions, "charges") == ["void"]


def test_a_cancellation_waits_for_a_tick_that_is_opening_charges(book: Book, sessions: Sessions, engine: Engine):
    subscribed = book.subscribe(now=NOW)
    with sessions() as session:
        (row,) = due_subscriptions(session, after=START, now=NOW, limit=1).groups
        canceled = _meanwhile(engine, lambda: cancel(sessions, subscribed.code, reason="moved", now=NOW))
        due = new_charges.NewCharge(
            subscription_ids=row.ids,
            period_start=row.next_charge_at,
            period_end=NOW.replace(month=2),
            amount=9900,
            tax_free=0,
            vat_amount=None,
            currency="KRW",
            order_name="Monthly",
            status=ChargeStatus.DUE,
            reason="its period began",
        )
        new_charges.open_charges(session, [due], now=NOW)
        session.commit()
    assert no_longer_owed(canceled.result(10)) == 9900
    assert statuses(sessions, "charges") == ["void"]


def _meanwhile(engine: Engine, work: Callable[[], RequestedChange]) -> Future[RequestedChange]:
    """Begin work on a thread, and return when it waits for a lock that the caller holds."""
    pool = ThreadPoolExecutor(1)
    future = pool.submit(work)
    pool.shutdown(wait=False)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    deadline = monotonic() + 60
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while connection.scalars(text(waiting)).one() == 0:
            assert monotonic() < deadline, "it did not wait"
    return future
