"""What blocks a charge is defined once: the claim takes exactly the charges of which nothing is named."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from schedules.open_hours import SEOUL
from tests.integration.conftest import NOW, claim_now
from tests.support.book import Book
from worker.database.engine import Sessions
from worker.domain.blockers import Blocker
from worker.domain.merchant_uid import MAX_NUMBER
from worker.domain.states import BILLED_SUBSCRIPTIONS, ChargeStatus
from worker.ledger import history
from worker.operations.charge_state import charge_state
from worker.operations.explain_charge import explain_charge

HOUR = timedelta(hours=1)
MONTH = timedelta(days=30)

_CHARGE = text("""
    INSERT INTO charges (subscription_id, period_start, period_end, amount, tax_free, currency, order_name, status,
                         status_reason, status_at, next_attempt_at, paid_at, declines, first_declined_at,
                         awaits_consent_since, gate_held_since, gate_judged_at, gate_lacks, created_at)
    VALUES (:subscription, :start, :end, 9900, 0, 'KRW', 'Plan', :status, '', :now, :next, :paid_at, :declines,
            :declined_at, :awaits, :gated, :gated, :lacks, :now)
    RETURNING id
""")

_ATTEMPT = text("""
    INSERT INTO attempts (charge_id, billing_key_id, number, merchant_uid, status, status_reason, status_at, sends,
                          started_at, lease_until, imp_uid, decline_kind, next_lookup_at)
    VALUES (:charge, :key, :number, :uid, :status, '', :now, 1, :now, :now, :imp_uid, :kind, :look_up)
""")

_DISCREPANCY = text("""
    INSERT INTO discrepancies (kind, status, status_at, merchant_uid, charge_id, evidence, found_at, seen_at)
    VALUES ('other_amount', :status, :now, :uid, :charge, '{}', :now, :now)
""")

_HOLD = text("""
    INSERT INTO holds (subscription_id, status, status_reason, status_at, held_by)
    VALUES (:id, :status, 'too much', :now, 'me')
""")

_STOP = text("""
    INSERT INTO stops
    SELECT scope, 'test', 'me', :now, (SELECT id FROM plans WHERE 'plan:' || code = scope)
    FROM CAST(:scope AS text) AS scope
""")

_SUBSCRIPTION = text("""
    UPDATE subscriptions SET status = :status, billing_key_id = :key, next_charge_at = :billed,
                             paused_next_charge_at = :paused, ends_at = :canceled
    WHERE id = :id
""")


class Variety:
    """Subscriptions and charges in all kinds of states; most of what could block them does not."""

    def __init__(self, seed: int, session: Session, book: Book) -> None:
        self._draw, self._session, self._book = Random(seed), session, book
        self._made = 0
        # As an older release could have left them: today's triggers and guards would keep some from being written.
        session.execute(text("SET LOCAL session_replication_role = replica"))

    def subscription(self) -> None:
        self._made += 1
        plan = "gold" if self._made % 3 == 0 else "monthly"
        subscribed = self._book.subscribe(now=NOW, pg=self._one("kakaopay", "payco"), plan=plan)
        key = self._seldom(None, usually=subscribed.billing_key_id)
        status = self._seldom("paused", "canceled", "ended", "pending", usually=self._one("trialing", "active"))
        times = {
            "billed": NOW if status in BILLED_SUBSCRIPTIONS else None,
            "paused": NOW if status == "paused" else None,
            "canceled": NOW if status == "canceled" else None,
        }
        self._sql(_SUBSCRIPTION, id=subscribed.id, status=status, key=key, **times)
        dead = text("UPDATE billing_keys SET status = :status WHERE id = :id")
        self._sql(dead, id=subscribed.billing_key_id, status=self._seldom("dead", "registering", usually="active"))
        if hold := self._seldom("held", "released", usually=None):
            self._sql(_HOLD, id=subscribed.id, status=hold)
        for place in range(self._one(1, 1, 1, 2, 3)):
            self._charge(subscribed.id, subscribed.billing_key_id, place)

    def stop(self) -> None:
        for scope in self._one((), ("plan:gold",), ("payco",), ("all",), ("toss", "plan:gold")):
            self._sql(_STOP, scope=scope)

    def _charge(self, subscription: int, key: int, place: int) -> None:
        status = self._seldom("charging", "paid", "void", "uncollectible", usually=self._one("due", "past_due"))
        waits = status in {"due", "past_due"}
        next_attempt_at = self._seldom(NOW + HOUR, usually=NOW - HOUR) if waits else None
        if status == "past_due":
            next_attempt_at = self._seldom(None, usually=next_attempt_at)
        declined = status in {"past_due", "uncollectible"}
        gated = self._seldom(NOW, usually=None)
        charge = self._session.scalar(
            _CHARGE,
            {
                "subscription": subscription,
                "start": NOW - (place + 1) * MONTH,
                "end": NOW - place * MONTH,
                "status": status,
                "next": next_attempt_at,
                "paid_at": NOW if status == "paid" else None,
                "declines": int(declined),
                "declined_at": NOW if declined else None,
                "awaits": self._seldom(NOW, usually=None),
                "gated": gated,
                "lacks": None if gated is None else ["notice_free_to_paid"],
                "now": NOW,
            },
        )
        settled = self._one(None, "declined", "not_charged")
        if attempt := self._seldom("started", "unknown", "paid", usually=settled):
            self._sql(
                _ATTEMPT,
                charge=charge,
                key=key,
                number=self._seldom(MAX_NUMBER, usually=1),
                uid=f"m{charge}",
                status=attempt,
                imp_uid="imp" if attempt == "paid" else None,
                kind="soft" if attempt == "declined" else None,
                look_up=NOW if attempt == "unknown" else None,
            )
        if discrepancy := self._seldom("open", "resolved", usually=None):
            self._sql(_DISCREPANCY, charge=charge, uid=f"m{charge}", status=discrepancy)

    def _one(self, *choices: Any) -> Any:
        return self._draw.choice(choices)

    def _seldom(self, *choices: Any, usually: Any) -> Any:
        return self._draw.choice(choices) if self._draw.random() < 0.12 else usually

    def _sql(self, statement: Any, **values: Any) -> None:
        self._session.execute(statement, {"now": NOW, **values})


@pytest.mark.parametrize("seed", range(5))
def test_claim_takes_exactly_the_charges_that_nothing_blocks(book: Book, sessions: Sessions, seed: int):
    with sessions.begin() as session:
        variety = Variety(seed, session, book)
        for _ in range(50):
            variety.subscription()
        variety.stop()
    with sessions() as session:
        ids = list(session.scalars(text("SELECT id FROM charges ORDER BY id")))
        found = [(charge_id, history.charge(session, charge_id, now=NOW)) for charge_id in ids]
        rows = {charge_id: row for charge_id, row in found if row is not None}
        listed = history.charges(session, status=None, subscription=None, limit=1000, now=NOW)
        said = {
            charge_id: explain_charge(charge_state(row, history.attempts(session, charge_id)), now=NOW, shown=str)
            for charge_id, row in rows.items()
        }
    blocked_by = {charge_id: row.blocked_by for charge_id, row in rows.items()}
    claimed = {attempt.charge.id for attempt in claim_now(sessions, limit=1000)}
    assert {charge_id for charge_id, blocker in blocked_by.items() if blocker is None} == claimed
    assert {row["id"]: row["blocked_by"] for row in listed} == blocked_by
    assert {charge_id for charge_id, sentence in said.items() if "next pump run charges it" in sentence} == claimed


def test_variety_meets_every_blocker_and_charges_without_one(book: Book, sessions: Sessions):
    with sessions.begin() as session:
        variety = Variety(0, session, book)
        for _ in range(350):
            variety.subscription()
        session.execute(text("INSERT INTO stops VALUES ('payco', 'test', 'me', :now)"), {"now": NOW})
        session.execute(text(CLOSED))
    with sessions() as session:
        listed = history.charges(session, status=None, subscription=None, limit=1000, now=NOW)
        session.execute(text("DELETE FROM channel_rules"))
        listed_of_an_open_pg = history.charges(session, status=None, subscription=None, limit=1000, now=NOW)
    found = Counter(row["blocked_by"] for row in (*listed, *listed_of_an_open_pg))
    assert set(found) == {None, *(blocker.value for blocker in Blocker if blocker is not Blocker.CHARGING_HOLD)}
    assert found[None] > 50


def test_charging_hold_blocks_every_charge_that_nothing_else_blocks(book: Book, sessions: Sessions):
    with sessions.begin() as session:
        variety = Variety(1, session, book)
        for _ in range(20):
            variety.subscription()
        before = _blocked_by(session)
        session.execute(text(BLOCKED[Blocker.CHARGING_HOLD]))
        after = _blocked_by(session)
    held = {charge for charge, blocker in after.items() if blocker == Blocker.CHARGING_HOLD}
    assert held >= {charge for charge, blocker in before.items() if blocker is None}
    assert None not in after.values()
    assert claim_now(sessions, limit=1000) == []


def _blocked_by(session: Session) -> dict[int, Blocker | None]:
    listed = history.charges(session, status=None, subscription=None, limit=1000, now=NOW)
    return {row["id"]: row["blocked_by"] for row in listed}


# Of the hour in which NOW is, each day.
CLOSED = "INSERT INTO channel_rules (pg, maintenance) VALUES ('kakaopay', '{span}')".format(
    span=f"{NOW.astimezone(SEOUL):%H}:00-{NOW.astimezone(SEOUL) + HOUR:%H}:00"
)

BLOCKED = {
    Blocker.SUBSCRIPTION: """
        UPDATE subscriptions SET status = 'paused', paused_next_charge_at = next_charge_at, next_charge_at = NULL""",
    Blocker.DISCREPANCY: """
        INSERT INTO discrepancies (kind, status, status_at, merchant_uid, charge_id, evidence, found_at, seen_at)
        SELECT 'other_amount', 'open', now(), 'm', id, '{}', now(), now() FROM charges""",
    Blocker.BILLING_KEY: "UPDATE billing_keys SET status = 'dead'",
    Blocker.CONSENT: "UPDATE charges SET awaits_consent_since = now()",
    Blocker.GATE: """
        UPDATE charges SET gate_held_since = now(), gate_judged_at = now(), gate_lacks = '{notice_free_to_paid}'""",
    Blocker.CHANNEL_CLOSED: CLOSED,
    Blocker.SUBSCRIPTION_HELD: """
        INSERT INTO holds (subscription_id, status, status_at, held_by)
        SELECT id, 'held', now(), 'me' FROM subscriptions""",
    Blocker.NOT_YET: "UPDATE charges SET next_attempt_at = next_attempt_at + interval '1 year'",
    Blocker.CHARGING_HOLD: "INSERT INTO sweeps (reason, holds_claims, since, until, position, started_at, lease_until) "
    "SELECT 'gap', true, now(), now(), now(), now(), now()",
}


def test_blocker_that_is_named_is_the_first_of_the_order(book: Book, sessions: Sessions):
    subscribed = book.subscribe(now=NOW)
    with sessions.begin() as session:
        Variety(0, session, book)
        values = {"subscription": subscribed.id, "start": NOW - HOUR, "end": NOW + MONTH, "status": ChargeStatus.DUE}
        times = {"next": NOW, "paid_at": None, "declines": 0, "declined_at": None, "awaits": None, "now": NOW}
        times |= {"gated": None, "lacks": None}
        charge = session.scalar(_CHARGE, {**values, **times})
        assert isinstance(charge, int)
        for blocker, statement in reversed(BLOCKED.items()):
            session.execute(text(statement))
            row = history.charge(session, charge, now=NOW)
            assert row is not None
            assert row.blocked_by == blocker
