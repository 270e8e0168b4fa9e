"""The end of a paid period: moved by one guarded UPDATE, and kept by the database against everything else."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from tests.support.book import Book, Subscribed
from worker.database.engine import Sessions
from worker.domain.states import SUBSCRIPTION_TRANSITIONS, ChargeStatus, SubscriptionStatus
from worker.ledger.charges import lock_open_charges
from worker.ledger.period_ends import CurrentCharge, charge_at, move_period_end

START = datetime(2026, 1, 5, 1, 0, tzinfo=UTC)
END = datetime(2026, 2, 5, 1, 0, tzinfo=UTC)
NEXT_END = datetime(2026, 3, 5, 1, 0, tzinfo=UTC)
NOW = datetime(2026, 1, 20, 3, 0, tzinfo=UTC)
CUT = "customer changes to the yearly plan"

PERIOD = text("""
    INSERT INTO charges (subscription_id, period_start, period_end, amount, tax_free, currency, order_name, status,
                         status_at, paid_at, next_attempt_at, created_at)
    SELECT :id, start, :end, 9900, 0, 'KRW', 'Plan monthly', status, start, CASE WHEN status = 'paid' THEN start END,
           CASE WHEN status = 'due' THEN start END, start
    FROM (SELECT CAST(:start AS timestamptz) AS start, CAST(:status AS text) AS status) v
""")


@pytest.fixture
def subscribed(sessions: Sessions) -> Subscribed:
    return Book(sessions).subscribe(now=START)


def add(sessions: Sessions, subscribed: Subscribed, start: datetime, end: datetime, status: str) -> None:
    with sessions.begin() as session:
        session.execute(PERIOD, {"id": subscribed.id, "start": start, "end": end, "status": status})


def at(sessions: Sessions, subscribed: Subscribed, instant: datetime) -> CurrentCharge | None:
    with sessions.begin() as session:
        return charge_at(session, subscribed.id, instant)


def move(sessions: Sessions, charge: CurrentCharge, to: datetime) -> bool:
    with sessions.begin() as session:
        return move_period_end(session, charge, to, reason=CUT, now=NOW)


def ends(sessions: Sessions) -> list[datetime]:
    with sessions() as session:
        return list(session.scalars(text("SELECT period_end FROM charges ORDER BY period_start")))


def test_paid_period_is_cut_and_the_audit_tells_why(sessions: Sessions, subscribed: Subscribed):
    add(sessions, subscribed, START, END, "paid")
    current = at(sessions, subscribed, NOW)
    assert current is not None
    assert move(sessions, current, NOW)
    assert ends(sessions) == [NOW]
    with sessions() as session:
        (row,) = session.execute(text("SELECT * FROM audit WHERE entity = 'charge' ORDER BY id DESC LIMIT 1"))
    assert (row.entity_id, row.from_status, row.to_status, row.at) == (current.id, "paid", "paid", NOW)
    assert row.reason == f"period end 2026-02-05 01:00:00 UTC to 2026-01-20 03:00:00 UTC: {CUT}"


def test_paid_period_runs_on_up_to_the_next_charge_and_no_further(sessions: Sessions, subscribed: Subscribed):
    add(sessions, subscribed, START, END, "paid")
    later = END + timedelta(days=7)
    add(sessions, subscribed, later, NEXT_END, "due")
    current = at(sessions, subscribed, NOW)
    assert current is not None
    with pytest.raises(IntegrityError, match="ends where the next one begins"):
        move(sessions, current, later + timedelta(seconds=1))
    assert move(sessions, current, later)
    assert ends(sessions) == [later, NEXT_END]


def test_void_period_is_in_the_way_of_none(sessions: Sessions, subscribed: Subscribed):
    add(sessions, subscribed, START, END, "paid")
    add(sessions, subscribed, END, NEXT_END, "void")
    current = at(sessions, subscribed, NOW)
    assert current is not None
    assert move(sessions, current, END + timedelta(days=7))


def test_end_that_was_moved_meanwhile_is_left_alone(sessions: Sessions, subscribed: Subscribed):
    add(sessions, subscribed, START, END, "paid")
    read = at(sessions, subscribed, NOW)
    assert read is not None
    assert move(sessions, read, NOW)
    assert not move(sessions, read, NEXT_END)
    assert ends(sessions) == [NOW]


def test_period_never_ends_before_it_begins(sessions: Sessions, subscribed: Subscribed):
    add(sessions, subscribed, START, END, "paid")
    current = at(sessions, subscribed, NOW)
    assert current is not None
    assert not move(sessions, current, START)
    assert ends(sessions) == [END]


@pytest.mark.parametrize("status", ["due", "void"])
def test_period_that_is_not_paid_keeps_its_end(status: str, sessions: Sessions, subscribed: Subscribed):
    add(sessions, subscribed, START, END, status)
    current = at(sessions, subscribed, NOW)
    assert current is not None
    assert current.status is ChargeStatus(status)
    assert not move(sessions, current, NOW)
    with pytest.raises(IntegrityError, match="only the end of a paid period moves"), sessions.begin() as session:
        session.execute(text("UPDATE charges SET period_end = :now"), {"now": NOW})
    assert ends(sessions) == [END]


def test_period_that_started_last_is_the_current_one(sessions: Sessions, subscribed: Subscribed):
    assert at(sessions, subscribed, NOW) is None
    add(sessions, subscribed, START, END, "paid")
    add(sessions, subscribed, END, NEXT_END, "due")
    for instant, start in ((START, START), (END - timedelta(seconds=1), START), (END, END), (NEXT_END, END)):
        current = at(sessions, subscribed, instant)
        assert current is not None
        assert current.period.start == start
    assert at(sessions, subscribed, START - timedelta(seconds=1)) is None


def test_newest_paid_charge_is_locked_with_the_open_ones(sessions: Sessions, subscribed: Subscribed, engine: Engine):
    earlier = START - timedelta(days=31)
    for start, end, status in ((earlier, START, "paid"), (START, END, "paid"), (END, NEXT_END, "due")):
        add(sessions, subscribed, start, end, status)
    locked = text("SELECT period_start FROM charges ORDER BY period_start FOR UPDATE SKIP LOCKED")
    with sessions.begin() as session:
        lock_open_charges(session, subscribed.code)
        with engine.connect() as other:
            assert list(other.scalars(locked)) == [earlier]


# --- what the database keeps ----------------------------------------------------------------------------------------

OVER = "UPDATE subscriptions SET status = 'canceled', next_charge_at = NULL, ends_at = now(); "
WAITS = (
    "SET LOCAL session_replication_role = replica; "  # no transition leads back to it
    "UPDATE subscriptions SET status = 'pending', next_charge_at = NULL; "
)
OTHER_PLAN = "UPDATE subscriptions SET plan_id = (SELECT id FROM plans WHERE code = 'yearly')"
KEPT = {
    "a charge gets another period": ("UPDATE charges SET period_start = '2026-01-04'", "charge is for never changes"),
    "a charge gets another amount": ("UPDATE charges SET amount = 1", "charge is for never changes"),
    "a subscription gets another customer": (
        "UPDATE subscriptions SET customer_reference = 'x'",
        "whose a subscription",
    ),
    "one that is over gets another plan": (OVER + OTHER_PLAN, "over was never changes"),
    "one that is over gets another anchor": (
        OVER + "UPDATE subscriptions SET anchor_on = anchor_on + 1",
        "over was never changes",
    ),
    "one that waits for its key gets another plan": (WAITS + OTHER_PLAN, "a link may have been made"),
}


@pytest.mark.parametrize("what", KEPT)
def test_what_must_not_change_is_refused_by_the_database(what: str, sessions: Sessions, subscribed: Subscribed):
    add(sessions, subscribed, START, END, "paid")
    Book(sessions).plan("yearly", now=START, cadence="year")
    statements, says = KEPT[what]
    *before, refused = statements.split("; ")
    with sessions.begin() as session:
        for statement in before:
            session.execute(text(statement))
    with pytest.raises(IntegrityError, match=says), sessions.begin() as session:
        session.execute(text(refused))


@pytest.mark.parametrize("before", SubscriptionStatus, ids=str)
@pytest.mark.parametrize("after", SubscriptionStatus, ids=str)
def test_subscription_moves_as_its_table_of_transitions_says(
    before: SubscriptionStatus, after: SubscriptionStatus, sessions: Sessions, subscribed: Subscribed
):
    put = """UPDATE subscriptions SET status = '{status}',
             next_charge_at = CASE WHEN '{status}' IN ('trialing', 'active', 'past_due') THEN now() END,
             paused_next_charge_at = CASE WHEN '{status}' = 'paused' THEN now() END,
             ends_at = CASE WHEN '{status}' = 'canceled' THEN now() END"""
    with sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(put.format(status=before)))
    may = after == before or after in SUBSCRIPTION_TRANSITIONS[before]
    with (
        nullcontext() if may else pytest.raises(IntegrityError, match="does not become that"),
        sessions.begin() as session,
    ):
        session.execute(text(put.format(status=after)))
    with sessions() as session:
        assert session.scalar(text("SELECT status FROM subscriptions")) == (after if may else before)


def test_new_terms_of_a_subscription_are_one_row_of_the_audit(sessions: Sessions, subscribed: Subscribed):
    Book(sessions).plan("yearly", now=START, cadence="year")
    with sessions.begin() as session:
        session.execute(text("SELECT set_config('again.reason', 'asked by mail', true)"))
        session.execute(
            text("""UPDATE subscriptions SET quantity = 3, price_version = 2, anchor_on = '2026-01-20',
                    plan_id = (SELECT id FROM plans WHERE code = 'yearly')""")
        )
    with sessions() as session:
        rows = session.execute(text("SELECT * FROM audit WHERE entity = 'subscription' ORDER BY id")).all()
    assert (rows[-1].entity_id, rows[-1].from_status, rows[-1].to_status) == (subscribed.id, "active", "active")
    assert rows[-1].reason == (
        "plan monthly to yearly, quantity 1 to 3, price version 1 to 2, anchor 2026-01-05 to 2026-01-20: asked by mail"
    )
