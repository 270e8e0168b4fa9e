"""Acts on one charge against a real PostgreSQL: from which states each moves it, and what stays in its way."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError, IntegrityError

from tests.integration.conftest import NOW, claim_now, open_all
from tests.integration.ledger.test_claiming import POLICY
from tests.integration.ledger.test_window_attempts import open_window
from tests.integration.ledger.test_write_back import PAID, SOFT, discrepancies
from tests.support.book import Book
from worker.database.engine import Sessions
from worker.domain.attempt import Attempt
from worker.domain.outcomes import NotCharged, NotChargedReason, Outcome
from worker.domain.settlement import settle
from worker.domain.states import UNSETTLED_CHARGES, ChargeStatus
from worker.ledger import collecting, paid_elsewhere, voiding, writing_off
from worker.ledger.write_back import write_back

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
HARD_TO_COLLECT = ("paused", "canceled")


def settle_as(sessions: Sessions, attempt: Attempt, outcome: Outcome, now: datetime = NOW) -> None:
    write_back(sessions, [settle(attempt, outcome, now=now, policy=POLICY)], now=now)


def row_of(sessions: Sessions, columns: str) -> Any:
    with sessions() as session:
        return session.execute(text(f"SELECT {columns} FROM charges c JOIN subscriptions s ON true")).one()


def charge_as(sessions: Sessions, book: Book, status: ChargeStatus, *, declines: int = 0) -> int:
    """Bring one charge into a status by what really leads there."""
    book.plan("monthly", now=NOW, dunning="none" if status is ChargeStatus.UNCOLLECTIBLE and declines else "1,3")
    book.subscribe(now=NOW)
    open_all(sessions)
    charge_id = int(row_of(sessions, "c.id").id)
    if declines or status in {ChargeStatus.PAST_DUE, ChargeStatus.PAID}:
        (attempt,) = claim_now(sessions)
        settle_as(sessions, attempt, PAID if status is ChargeStatus.PAID else SOFT)
    elif status is ChargeStatus.CHARGING:
        claim_now(sessions)
    elif status is ChargeStatus.VOID:
        with sessions.begin() as session:
            voiding.void(session, [charge_id], reason="forgiven", now=NOW)
    elif status is ChargeStatus.UNCOLLECTIBLE:
        with sessions.begin() as session:
            writing_off.write_off(session, [charge_id], reason="moved away", now=NOW)
    assert row_of(sessions, "c.status").status == status
    return charge_id


def act(sessions: Sessions, name: str, charge_id: int, expecting: ChargeStatus, *, now: datetime = NOW + HOUR) -> bool:
    """Do one of the acts, and return whether it changed the charge."""
    with sessions.begin() as session:
        match name:
            case "collect":
                done = collecting.collect_now(session, charge_id, expecting=expecting, reason="asked", now=now)
                return done is not None
            case "postpone":
                return collecting.postpone(session, charge_id, until=now + 30 * DAY)
            case "void":
                return bool(voiding.void(session, [charge_id], expecting=[expecting], reason="asked", now=now))
            case "write off":
                return bool(writing_off.write_off(session, [charge_id], expecting=[expecting], reason="asked", now=now))
            case _:
                return paid_elsewhere.pay_elsewhere(
                    session, charge_id, expecting=expecting, reference="bank 12", reason="asked", now=now
                )


ACTS = ("collect", "postpone", "void", "write off", "paid elsewhere")
WAITING = {ChargeStatus.DUE, ChargeStatus.PAST_DUE}
MOVED_FROM = {
    "collect": {ChargeStatus.PAST_DUE, ChargeStatus.UNCOLLECTIBLE},  # a due one of this story is due already
    "postpone": WAITING,
    "void": UNSETTLED_CHARGES,
    "write off": WAITING,
    "paid elsewhere": UNSETTLED_CHARGES,
}


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("status", list(ChargeStatus))
def test_act_moves_a_charge_only_from_the_states_that_it_names(
    name: str, status: ChargeStatus, book: Book, sessions: Sessions
):
    charge_id = charge_as(sessions, book, status)
    before = row_of(sessions, "c.*")
    assert act(sessions, name, charge_id, status) == (status in MOVED_FROM[name])
    if status not in MOVED_FROM[name]:
        assert row_of(sessions, "c.*") == before


@pytest.mark.parametrize("name", ["collect", "void", "write off", "paid elsewhere"])
def test_act_that_expects_another_state_changes_nothing(name: str, book: Book, sessions: Sessions):
    charge_id = charge_as(sessions, book, ChargeStatus.PAST_DUE)
    assert not act(sessions, name, charge_id, ChargeStatus.UNCOLLECTIBLE)
    assert row_of(sessions, "c.status").status == "past_due"


def test_given_up_charge_that_is_collected_is_claimed_and_its_subscription_past_due(book: Book, sessions: Sessions):
    charge_id = charge_as(sessions, book, ChargeStatus.UNCOLLECTIBLE, declines=1)
    with sessions.begin() as session:
        session.execute(text("UPDATE subscriptions SET status = 'active'"))
    assert act(sessions, "collect", charge_id, ChargeStatus.UNCOLLECTIBLE)
    assert row_of(sessions, "c.status, s.status AS owner, c.declines") == ("past_due", "past_due", 1)
    (attempt,) = claim_now(sessions, now=NOW + HOUR)
    assert attempt.number == 2
    settle_as(sessions, attempt, SOFT, now=NOW + HOUR)
    assert row_of(sessions, "c.status, c.declines, c.written_off_at") == ("uncollectible", 2, None)


def test_written_off_charge_that_was_never_declined_is_due_again(book: Book, sessions: Sessions):
    charge_id = charge_as(sessions, book, ChargeStatus.UNCOLLECTIBLE)
    assert row_of(sessions, "c.written_off_at, c.declines") == (NOW, 0)
    assert act(sessions, "collect", charge_id, ChargeStatus.UNCOLLECTIBLE)
    assert row_of(sessions, "c.status, s.status AS owner, c.written_off_at") == ("due", "active", None)
    (attempt,) = claim_now(sessions, now=NOW + HOUR)
    settle_as(sessions, attempt, PAID)
    assert row_of(sessions, "c.status").status == "paid"


@pytest.mark.parametrize(
    "obstacle",
    [
        "UPDATE subscriptions SET status = 'paused', next_charge_at = NULL, paused_next_charge_at = now()",
        "UPDATE billing_keys SET status = 'dead'",
        "UPDATE charges SET awaits_consent_since = now()",
    ],
    ids=["paused", "dead key", "no consent"],
)
def test_charge_that_no_claim_would_take_is_not_collected(obstacle: str, book: Book, sessions: Sessions):
    charge_id = charge_as(sessions, book, ChargeStatus.UNCOLLECTIBLE, declines=1)
    with sessions.begin() as session:
        session.execute(text(obstacle))
    assert not act(sessions, "collect", charge_id, ChargeStatus.UNCOLLECTIBLE)
    assert row_of(sessions, "c.status").status == "uncollectible"


def test_postponed_charge_is_claimed_on_its_new_date_and_not_before(book: Book, sessions: Sessions):
    charge_id = charge_as(sessions, book, ChargeStatus.DUE)
    assert act(sessions, "postpone", charge_id, ChargeStatus.DUE, now=NOW)
    assert row_of(sessions, "c.status, c.wait_reason") == ("due", "postponed")
    assert claim_now(sessions, now=NOW + 30 * DAY - HOUR) == []
    assert len(claim_now(sessions, now=NOW + 30 * DAY)) == 1
    assert row_of(sessions, "c.wait_reason").wait_reason is None


def test_postponing_never_brings_a_charge_forward(book: Book, sessions: Sessions):
    charge_id = charge_as(sessions, book, ChargeStatus.PAST_DUE)
    planned = row_of(sessions, "c.next_attempt_at").next_attempt_at
    with sessions.begin() as session:
        assert not collecting.postpone(session, charge_id, until=planned)
        assert collecting.postpone(session, charge_id, until=planned + DAY)


def test_postponed_charge_that_is_collected_is_postponed_no_more(book: Book, sessions: Sessions):
    charge_id = charge_as(sessions, book, ChargeStatus.DUE)
    act(sessions, "postpone", charge_id, ChargeStatus.DUE)
    assert act(sessions, "collect", charge_id, ChargeStatus.DUE)
    assert row_of(sessions, "c.wait_reason, c.next_attempt_at") == (None, NOW + HOUR)


@pytest.mark.parametrize("name", ["collect", "void", "paid elsewhere"])
def test_given_up_charge_with_an_open_window_is_left_to_the_customer(name: str, book: Book, sessions: Sessions):
    charge_id = charge_as(sessions, book, ChargeStatus.UNCOLLECTIBLE)
    with sessions.begin() as session:
        assert open_window(session, charge_id)
    assert not act(sessions, name, charge_id, ChargeStatus.UNCOLLECTIBLE)


def test_paid_elsewhere_is_said_once_and_never_of_a_payment(book: Book, sessions: Sessions):
    charge_id = charge_as(sessions, book, ChargeStatus.DUE)
    for change, broken in (
        ("paid_elsewhere = 'bank 12'", DatabaseError),
        ("status = 'paid', next_attempt_at = NULL, paid_at = now(), paid_elsewhere = ''", IntegrityError),
    ):
        with pytest.raises(broken), sessions.begin() as session:
            session.execute(text(f"UPDATE charges SET {change}"))
    assert act(sessions, "paid elsewhere", charge_id, ChargeStatus.DUE)
    assert row_of(sessions, "c.status, c.paid_at, c.paid_elsewhere") == ("paid", NOW + HOUR, "bank 12")
    for change in ("paid_elsewhere = 'bank 13'", "paid_elsewhere = NULL", "refunded = 1"):
        with pytest.raises(DatabaseError), sessions.begin() as session:
            session.execute(text(f"UPDATE charges SET {change}"))


def test_payment_beside_one_elsewhere_is_a_discrepancy(book: Book, sessions: Sessions):
    charge_as(sessions, book, ChargeStatus.DUE)
    (attempt,) = claim_now(sessions)
    settle_as(sessions, attempt, NotCharged(NotChargedReason.CONNECT_FAILED))
    charge_id = row_of(sessions, "c.id").id
    assert act(sessions, "paid elsewhere", charge_id, ChargeStatus.DUE)
    settle_as(sessions, attempt, PAID)
    assert row_of(sessions, "c.paid_elsewhere, c.refunded") == ("bank 12", 0)
    assert discrepancies(sessions) == [("paid_twice", "open", "imps_1")]
