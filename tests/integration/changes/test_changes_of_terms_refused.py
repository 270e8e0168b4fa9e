"""Changes of terms that are refused: one sentence that says what, why and what to do, and nothing is changed."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.integration.changes.conftest import BEGAN, NOW, ask
from tests.support.acts import POLICY, cancel, pause
from tests.support.book import Book, Subscribed
from worker.changes.apply_due import apply_due_changes
from worker.charging.open_due import open_due_charges
from worker.database.engine import Sessions
from worker.domain.changes import ChangeKind, Moment, When
from worker.domain.errors import Refused

PLAN, MOVE, TRIAL = ChangeKind.CHANGE_PLAN, ChangeKind.MOVE_RENEWAL, ChangeKind.TRIAL

Wrong = tuple[ChangeKind, When | None, dict[str, Any], str]

WRONG: dict[str, Wrong] = {
    "nothing": (PLAN, None, {}, "Nothing would change"),
    "the same plan": (PLAN, None, {"plan": "monthly"}, "in quantity 1 already; nothing would change"),
    "the same quantity": (PLAN, None, {"quantity": 1}, "nothing would change"),
    "an unknown plan": (PLAN, None, {"plan": "platinum"}, "There is no plan 'platinum'. Some that exist: gold"),
    "a plan that is a number": (PLAN, None, {"plan": 3}, "must be the code of one"),
    "a quantity of none": (PLAN, None, {"quantity": 0}, "must be a whole number from 1 to 1,000,000"),
    "a negative quantity": (PLAN, None, {"quantity": -2}, "must be a whole number from 1 to 1,000,000"),
    "half a quantity": (PLAN, None, {"quantity": 1.5}, "must be a whole number from 1 to 1,000,000"),
    "a quantity that is true": (PLAN, None, {"quantity": True}, "must be a whole number from 1 to 1,000,000"),
    "an excessive quantity": (PLAN, None, {"quantity": 1_000_000}, "more than the 1,000,000,000 KRW"),
    "more than the setting allows": (
        PLAN,
        None,
        {"quantity": 102},
        "AGAIN_MAX_AMOUNT allows no charge above 1,000,000",
    ),
    "an unknown proration": (PLAN, None, {"quantity": 2, "proration": "hours"}, "must be days or none"),
    "an unknown renewal": (PLAN, None, {"quantity": 2, "renewal": "later"}, "must be keep or restart"),
    "a billing day that no month has": (PLAN, None, {"anchor_day": 32}, "whole number from 1 to 31"),
    "a billing day of a kept renewal": (PLAN, None, {"anchor_day": 1, "renewal": "keep"}, "leave out either"),
    "a billing day of a yearly plan": (
        PLAN,
        None,
        {"plan": "yearly", "anchor_day": 1},
        "has no billing day of the month",
    ),
    "a kept renewal of another cadence": (
        PLAN,
        Moment.NOW,
        {"plan": "yearly", "renewal": "keep"},
        "is billed at other times than 'monthly'",
    ),
    "an unknown parameter": (PLAN, None, {"colour": "red"}, "There is no parameter 'colour'"),
    "a day in the past": (PLAN, date(2026, 1, 19), {"plan": "gold"}, "in the past or more than ten years ahead"),
    "a day beyond ten years": (PLAN, date(2036, 2, 1), {"plan": "gold"}, "in the past or more than ten years ahead"),
    "a renewal in the past": (MOVE, None, {"on": "2026-01-19"}, "in the past or more than ten years ahead"),
    "a renewal today, hours ago": (MOVE, None, {"on": "2026-01-20"}, "would have started already"),
    "a renewal beyond ten years": (MOVE, None, {"on": "2036-02-01"}, "in the past or more than ten years ahead"),
    "a renewal on no day": (MOVE, None, {"on": "2026-02-30"}, "must be a date such as 2027-03-01"),
    "a renewal without a day": (MOVE, None, {}, "must be a date such as 2027-03-01"),
    "a renewal where it is": (MOVE, None, {"on": "2026-02-05"}, "is renewed on 2026-02-05 already"),
    "a trial of one that has none": (TRIAL, None, {"until": "2026-02-01"}, "is active, so it has no trial"),
    "a trial with two ends": (TRIAL, None, {"until": "2026-02-01", "end_now": True}, "Give either the day"),
    "a trial with none": (TRIAL, None, {}, "Give either the day"),
}


def state(sessions: Sessions) -> list[Any]:
    with sessions() as session:
        return [
            session.execute(text(f"SELECT * FROM {table} ORDER BY 1")).all()
            for table in ("subscriptions", "charges", "charge_items", "adjustments", "consents", "changes")
        ]


@pytest.mark.parametrize("what", WRONG)
def test_wrong_change_of_terms_is_one_sentence_and_changes_nothing(what: str, sessions: Sessions, paid: Subscribed):
    kind, when, parameters, says = WRONG[what]
    before = state(sessions)
    with pytest.raises(Refused) as refused:
        ask(sessions, kind, paid.code, when, **parameters)
    assert says in str(refused.value)
    assert state(sessions) == before


def test_plan_that_the_customer_has_already_is_refused(sessions: Sessions, paid: Subscribed, book: Book):
    other = book.subscribe(now=BEGAN, plan="gold")
    with sessions.begin() as session:  # past the trigger that keeps whose a subscription is
        session.execute(text("SELECT set_config('session_replication_role', 'replica', true)"))
        session.execute(
            text("""UPDATE subscriptions SET customer_reference = (SELECT customer_reference FROM subscriptions
                    WHERE code = :one) WHERE code = :other"""),
            {"one": paid.code, "other": other.code},
        )
    with pytest.raises(Refused, match=f"a running subscription to plan 'gold' already: {other.code}"):
        ask(sessions, PLAN, paid.code, plan="gold")


@pytest.mark.parametrize(("end", "status"), [(cancel, "canceled"), (pause, "paused")])
def test_plan_of_one_that_is_not_billed_does_not_change(end: Any, status: str, sessions: Sessions, paid: Subscribed):
    end(sessions, paid.code, reason="x", now=NOW)
    with pytest.raises(Refused, match=status):
        ask(sessions, PLAN, paid.code, Moment.NOW, plan="gold")


@pytest.mark.parametrize("status", ["due", "charging", "past_due", "uncollectible"])
def test_plan_does_not_change_in_a_period_that_is_not_paid(status: str, book: Book, sessions: Sessions):
    code = book.subscribe(now=BEGAN).code
    open_due_charges(sessions, now=BEGAN, limit=12)
    waits = "next_attempt_at" if status in {"due", "past_due"} else "NULL"
    with sessions.begin() as session:
        session.execute(text(f"UPDATE charges SET status = '{status}', next_attempt_at = {waits}"))
    before = state(sessions)
    with pytest.raises(Refused, match=f"is not paid yet: charge 1 is {status}. Wait until it is, or change it at"):
        ask(sessions, PLAN, code, Moment.NOW, plan="gold")
    assert state(sessions) == before
    assert ask(sessions, PLAN, code, plan="gold").change.status == "scheduled"


def test_period_that_was_refunded_in_full_is_not_divided(sessions: Sessions, paid: Subscribed):
    with sessions.begin() as session:
        session.execute(text("UPDATE charges SET refunded = amount"))
    with pytest.raises(Refused, match="was refunded in full"):
        ask(sessions, PLAN, paid.code, Moment.NOW, plan="gold")


def test_second_change_in_the_very_second_of_the_first_is_refused(sessions: Sessions, paid: Subscribed):
    ask(sessions, PLAN, paid.code, Moment.NOW, plan="gold")
    with sessions.begin() as session:
        session.execute(
            text("UPDATE charges SET status = 'paid', paid_at = :now, next_attempt_at = NULL WHERE status = 'due'"),
            {"now": NOW},
        )
    at_once = NOW + timedelta(microseconds=999_999)
    with pytest.raises(Refused, match="began in this very second"):
        ask(sessions, PLAN, paid.code, Moment.NOW, now=at_once, quantity=2)
    ask(sessions, PLAN, paid.code, Moment.NOW, now=NOW + timedelta(seconds=1), quantity=2)


def test_change_that_has_become_wrong_by_its_day_has_failed_and_says_why(sessions: Sessions, paid: Subscribed):

    change = ask(sessions, PLAN, paid.code, date(2026, 2, 10), plan="gold").change
    open_due_charges(sessions, now=datetime(2026, 2, 5, 3, 0, tzinfo=NOW.tzinfo), limit=12)
    later = datetime(2026, 2, 11, 3, 0, tzinfo=NOW.tzinfo)
    assert apply_due_changes(sessions, policy=POLICY, now=later).failed == 1
    with sessions() as session:
        row = session.execute(text("SELECT status, status_reason FROM changes WHERE id = :id"), {"id": change.id}).one()
    assert row.status == "failed"
    assert re.search(r"is not paid yet: charge \d+ is due", row.status_reason)


def test_same_key_with_other_parameters_is_refused_and_repeated_is_done_once(sessions: Sessions, paid: Subscribed):
    first = ask(sessions, PLAN, paid.code, Moment.NOW, key="k", plan="gold")
    again = ask(sessions, PLAN, paid.code, Moment.NOW, key="k", now=NOW + timedelta(minutes=5), plan="gold")
    assert (again.repeated, again.change.id) == (True, first.change.id)
    with pytest.raises(Refused, match="'k' stands for another request"):
        ask(sessions, PLAN, paid.code, Moment.NOW, key="k", plan="yearly")
    with sessions() as session:
        assert session.scalar(text("SELECT count(*) FROM charges")) == 2
