"""The consent gate judges a charge as it is opened, holds what it must, and lets go what has come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from schedules.plans import GateMode
from tests.integration.conftest import NOW, claim_now
from tests.support.book import Book
from worker.charging.open_due import open_due_charges
from worker.database.engine import Sessions
from worker.domain.consent_gate.rules import RuleCode
from worker.ledger import consent_gate
from worker.ledger.consent_gate import JUDGE_EVERY, judge_held, set_gate

A_DAY = timedelta(days=1)
LACKS_ALL = [RuleCode.CONSENT_TO_PAID, RuleCode.NOTICE_OF_PAID]

_AGREE = text("""
    INSERT INTO consents (subscription_id, billing_key_id, source, wording, amount, currency, cadence, due_now, periods,
                          agreed_at)
    SELECT id, :key, 'host', 'v1', :amount, 'KRW', 'month', 0, '[]', :at FROM subscriptions WHERE id = :id
""")

_TELL = text("""
    INSERT INTO notices (subscription_id, kind, about, due_at, sent_at, content)
    SELECT id, 'trial', :about, :at, :at, '{}' FROM subscriptions WHERE id = :id
""")


@pytest.fixture
def strict(sessions: Sessions) -> Iterator[Sessions]:
    set_gate(sessions, GateMode.STRICT)
    yield sessions
    set_gate(sessions, GateMode.WARN)


def in_trial(book: Book, days: int = 14, **terms: str) -> Any:
    """Return a subscription in its trial, with its first charge due after so many days."""
    book.plan("trial", now=NOW, trial_days=str(days), **terms)
    return book.subscribe(plan="trial", starts_on=(NOW + days * A_DAY).date(), now=NOW)


def opened(sessions: Sessions, now: datetime) -> list[tuple[bool, list[str] | None]]:
    open_due_charges(sessions, now=now, limit=12)
    return gated(sessions)


def gated(sessions: Sessions) -> list[tuple[bool, list[str] | None]]:
    with sessions() as session:
        rows = session.execute(text("SELECT gate_held_since, gate_lacks FROM charges ORDER BY period_start, id"))
        return [(row.gate_held_since is not None, row.gate_lacks) for row in rows]


def first_charge(sessions: Sessions, subscription: int) -> datetime:
    with sessions() as session:
        at = session.scalar(text("SELECT next_charge_at FROM subscriptions WHERE id = :id"), {"id": subscription})
    assert isinstance(at, datetime)
    return at


def agree(sessions: Sessions, subscription: int, at: datetime, *, amount: int = 9900, key: int | None = None) -> None:
    with sessions.begin() as session:
        session.execute(_AGREE, {"id": subscription, "at": at, "amount": amount, "key": key})


def tell(sessions: Sessions, subscription: int, about: datetime, at: datetime) -> None:
    with sessions.begin() as session:
        session.execute(_TELL, {"id": subscription, "about": about, "at": at})


@pytest.mark.parametrize(
    ("mode", "own", "expected"),
    [
        (GateMode.STRICT, "none", (True, LACKS_ALL)),
        (GateMode.WARN, "none", (False, LACKS_ALL)),
        (GateMode.OFF, "none", (False, None)),
        (GateMode.OFF, "strict", (True, LACKS_ALL)),
        (GateMode.STRICT, "warn", (False, LACKS_ALL)),
        (GateMode.STRICT, "off", (False, None)),
    ],
)
def test_plans_mode_comes_before_the_deployments(
    book: Book, sessions: Sessions, mode: GateMode, own: str, expected: tuple[bool, Any]
):
    set_gate(sessions, mode)
    try:
        subscribed = in_trial(book, gate=own)
        assert opened(sessions, first_charge(sessions, subscribed.id)) == [expected]
    finally:
        set_gate(sessions, GateMode.WARN)


def test_first_charge_of_a_subscription_without_trial_is_not_gated(book: Book, strict: Sessions):
    book.subscribe(now=NOW)
    assert opened(strict, NOW) == [(False, None)]
    assert len(claim_now(strict)) == 1


def test_charge_that_is_opened_by_a_bill_of_its_own_is_judged_too(book: Book, strict: Sessions):
    subscribed = in_trial(book)
    with strict.begin() as session:
        session.execute(
            text("""
            INSERT INTO adjustments (subscription_id, kind, description, percent, created_at)
            VALUES (:id, 'discount', 'half', 50, :now)"""),
            {"id": subscribed.id, "now": NOW},
        )
    due = first_charge(strict, subscribed.id)
    assert opened(strict, due) == [(True, LACKS_ALL)]
    agree(strict, subscribed.id, due - A_DAY, amount=4_950)  # the discount may end: the whole price counts
    with strict.begin() as session:
        judge_held(session, now=due + JUDGE_EVERY, limit=10)
    assert gated(strict) == [(True, LACKS_ALL)]


def test_charge_with_consent_and_message_in_time_is_not_held(book: Book, strict: Sessions):
    subscribed = in_trial(book)
    due = first_charge(strict, subscribed.id)
    agree(strict, subscribed.id, due - 30 * A_DAY)
    tell(strict, subscribed.id, due, due - 7 * A_DAY)
    assert opened(strict, due) == [(False, None)]


@pytest.mark.parametrize("what", ["old", "too little", "another key"])
def test_consent_that_does_not_cover_the_charge_counts_for_nothing(book: Book, strict: Sessions, what: str):
    subscribed, other = in_trial(book), book.subscribe(now=NOW)
    due = first_charge(strict, subscribed.id)
    at = due - (31 if what == "old" else 5) * A_DAY
    key = other.billing_key_id if what == "another key" else None
    agree(strict, subscribed.id, at, amount=9_899 if what == "too little" else 9_900, key=key)
    tell(strict, subscribed.id, due, due - 8 * A_DAY)
    open_due_charges(strict, now=due, limit=12)
    with strict() as session:
        lacks = session.scalar(
            text("SELECT gate_lacks FROM charges WHERE subscription_id = :id"), {"id": subscribed.id}
        )
    assert lacks == [RuleCode.CONSENT_TO_PAID]


def test_message_about_another_day_counts_for_nothing(book: Book, strict: Sessions):
    subscribed = in_trial(book)
    due = first_charge(strict, subscribed.id)
    agree(strict, subscribed.id, due - A_DAY)
    tell(strict, subscribed.id, due + A_DAY, due - 10 * A_DAY)
    assert opened(strict, due) == [(True, [RuleCode.NOTICE_OF_PAID])]


def test_held_charge_is_released_once_the_days_of_a_late_message_are_over(book: Book, strict: Sessions):
    subscribed = in_trial(book)
    due = first_charge(strict, subscribed.id)
    agree(strict, subscribed.id, due - A_DAY)
    opened(strict, due)
    tell(strict, subscribed.id, due, due)
    for day, expected in ((6, True), (7, False)):
        with strict.begin() as session:
            judge_held(session, now=due + day * A_DAY, limit=10)
        assert gated(strict)[0][0] is expected
    with strict() as session:
        assert session.scalar(text("SELECT next_attempt_at FROM charges")) == due + 7 * A_DAY


def test_held_charge_is_judged_again_at_intervals_the_longest_waiting_first(book: Book, strict: Sessions):
    subscribed = in_trial(book)
    for _ in range(2):
        book.subscribe(plan="trial", starts_on=(NOW + 14 * A_DAY).date(), now=NOW)
    due = first_charge(strict, subscribed.id)
    assert [held for held, _ in opened(strict, due)] == [True] * 3
    found = []
    for minutes in (0, 9, 10, 10, 11, 20):
        with strict.begin() as session:
            found.append(judge_held(session, now=due + timedelta(minutes=minutes), limit=2))
    assert timedelta(minutes=10) == JUDGE_EVERY
    assert found == [(0, 0), (0, 0), (2, 0), (1, 0), (0, 0), (2, 0)]


@pytest.mark.parametrize(("mode", "expected"), [(GateMode.WARN, (False, LACKS_ALL)), (GateMode.OFF, (False, None))])
def test_held_charge_is_released_when_the_mode_becomes_milder(
    book: Book, strict: Sessions, mode: GateMode, expected: tuple[bool, Any]
):
    subscribed = in_trial(book)
    due = first_charge(strict, subscribed.id)
    opened(strict, due)
    set_gate(strict, mode)
    assert opened(strict, due + JUDGE_EVERY) == [expected]
    assert len(claim_now(strict, now=due + JUDGE_EVERY)) == 1


def test_stricter_mode_holds_nothing_that_is_open_already(book: Book, sessions: Sessions):
    subscribed = in_trial(book)
    due = first_charge(sessions, subscribed.id)
    assert opened(sessions, due) == [(False, LACKS_ALL)]
    set_gate(sessions, GateMode.STRICT)
    assert opened(sessions, due + JUDGE_EVERY) == [(False, LACKS_ALL)]
    set_gate(sessions, GateMode.WARN)


def test_later_period_is_held_as_long_as_the_first_one_is(book: Book, strict: Sessions):
    subscribed = in_trial(book)
    due = first_charge(strict, subscribed.id)
    opened(strict, due)
    assert opened(strict, due + 31 * A_DAY) == [(True, LACKS_ALL), (True, LACKS_ALL)]
    with strict.begin() as session:
        first = session.scalar(text("SELECT min(id) FROM charges"))
        assert isinstance(first, int)
        assert consent_gate.override(session, first, now=due + 31 * A_DAY)
        judge_held(session, now=due + 32 * A_DAY, limit=10)
    assert gated(strict) == [(False, LACKS_ALL), (False, None)]


def test_periods_behind_a_held_charge_are_not_owed_beyond_the_plans_limit(book: Book, strict: Sessions):
    subscribed = in_trial(book, max_open_charges="2")
    due = first_charge(strict, subscribed.id)
    for months in range(4):
        open_due_charges(strict, now=due + months * 31 * A_DAY, limit=12)
    with strict() as session:
        statuses = list(session.scalars(text("SELECT status FROM charges ORDER BY period_start")))
    assert statuses == ["due", "due", "void", "void"]


def test_charge_after_a_free_period_is_gated_and_after_one_paid_by_credit_is_not(book: Book, strict: Sessions):
    free, credited = book.subscribe(now=NOW), book.subscribe(now=NOW)
    with strict.begin() as session:
        session.execute(
            text("""
            INSERT INTO adjustments (subscription_id, kind, description, percent, periods, periods_left, created_at)
            VALUES (:free, 'discount', 'free', 100, 1, 1, :now)"""),
            {"free": free.id, "now": NOW},
        )
        session.execute(
            text("""
            INSERT INTO adjustments (subscription_id, kind, description, amount, amount_left, created_at)
            VALUES (:credited, 'credit', 'given', 9900, 9900, :now)"""),
            {"credited": credited.id, "now": NOW},
        )
    assert opened(strict, NOW) == [(False, None), (False, None)]
    open_due_charges(strict, now=NOW + 31 * A_DAY, limit=12)
    with strict() as session:
        rows = session.execute(text("SELECT subscription_id, amount, gate_lacks FROM charges ORDER BY id")).all()
    assert [tuple(row) for row in rows[:2]] == [(free.id, 0, None), (credited.id, 0, None)]
    assert {row.subscription_id: row.gate_lacks for row in rows[2:]} == {free.id: LACKS_ALL, credited.id: None}


@pytest.mark.parametrize("seed", range(3))
def test_claims_take_nothing_that_the_gate_forbids_whatever_the_history(book: Book, strict: Sessions, seed: int):
    """The decision in SQL and the rules agree: recomputed here from the tables, by the definition in words."""
    draw = Random(seed)
    book.plan("trial", now=NOW, trial_days="14")
    ids = [book.subscribe(plan="trial", starts_on=(NOW + 14 * A_DAY).date(), now=NOW).id for _ in range(40)]
    due = first_charge(strict, ids[0])
    allowed = set()
    for each in ids:
        agreed, told = draw.choice([None, 0, 5, 30, 31]), draw.choice([None, 6, 7, 8])
        if agreed is not None:
            agree(strict, each, due - agreed * A_DAY)
        if told is not None:
            tell(strict, each, due, due - told * A_DAY)
        if agreed in {0, 5, 30} and told in {7, 8}:
            allowed.add(each)
    open_due_charges(strict, now=due, limit=12)
    assert {each.subscription_id for each in _claimed(strict, due)} == allowed
    assert len(gated(strict)) == len(ids)  # none is lost


def _claimed(sessions: Sessions, now: datetime) -> list[Any]:
    claim_now(sessions, limit=1000, now=now)
    with sessions() as session:
        return list(session.execute(text("SELECT subscription_id FROM charges WHERE status = 'charging'")))


@pytest.mark.parametrize("status", ["paid", "void"])
def test_held_charge_that_was_settled_is_judged_no_more(book: Book, strict: Sessions, status: str):
    subscribed = in_trial(book)
    due = first_charge(strict, subscribed.id)
    assert opened(strict, due) == [(True, LACKS_ALL)]
    with strict.begin() as session:
        session.execute(
            text("UPDATE charges SET status = :status, status_at = :now, next_attempt_at = NULL, paid_at = :paid_at"),
            {"status": status, "now": due, "paid_at": due if status == "paid" else None},
        )
    with strict.begin() as session:
        assert judge_held(session, now=due + JUDGE_EVERY, limit=10) == (0, 0)
    assert gated(strict) == [(True, LACKS_ALL)]
