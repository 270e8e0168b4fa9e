"""SQL of prices: versions of a plan's price, the subscriptions of a cohort, and moving many of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.price_move import Candidate
from worker.domain.pricing.amounts import Amounts
from worker.domain.states import SubscriptionStatus
from worker.ledger.adjustments import CHARGED_ONCE
from worker.ledger.changes import OF_SUBSCRIPTION
from worker.ledger.terms import OWN_AMOUNT, OWN_PLAN

_ADD = text("""
    INSERT INTO plan_prices (plan_id, version, amount, tax_free, vat_amount, sold_from, created_at)
    SELECT :plan_id, COALESCE((SELECT max(version) FROM plan_prices WHERE plan_id = :plan_id), 1) + 1, :amount,
           :tax_free, :vat_amount, :sold_from, :now
    RETURNING version
""")

_VERSIONS = text("""
    SELECT 1 AS version, amount, tax_free, vat_amount, created_at AS sold_from FROM plans WHERE id = :plan_id
    UNION ALL
    SELECT version, amount, tax_free, vat_amount, sold_from FROM plan_prices WHERE plan_id = :plan_id
    ORDER BY version
""")

_LOCK_PLAN = text("SELECT id FROM plans WHERE id = :plan_id FOR NO KEY UPDATE")

# Each chunk is read and locked in the order of ids; another process that holds one is waited for.
_COHORT = text(f"""
    SELECT s.id, s.code, s.status, s.anchor_on, s.next_charge_at, s.paused_next_charge_at, s.price_version, s.quantity,
           (SELECT min(x.effective_at) FROM changes x
            WHERE x.subscription_id = s.id AND x.status = 'scheduled' AND x.kind = 'cancel') AS canceled_from,
           {OF_SUBSCRIPTION} AS has_due_change,
           ARRAY(SELECT x.id FROM changes x
                 WHERE x.subscription_id = s.id AND x.status = 'scheduled' AND x.kind = 'change_price') AS superseded
    FROM subscriptions s
    WHERE s.id > :after AND s.plan_id = :plan_id
      AND (CAST(:since AS timestamptz) IS NULL OR s.created_at >= :since)
      AND (CAST(:until AS timestamptz) IS NULL OR s.created_at < :until)
      AND (CAST(:codes AS text[]) IS NULL OR s.code = ANY(:codes))
    ORDER BY s.id LIMIT :limit
    FOR NO KEY UPDATE OF s
""")  # noqa: S608 - constants only

_NOT_OF_PLAN = text("""
    SELECT code FROM unnest(CAST(:codes AS text[])) AS listed(code)
    WHERE NOT EXISTS (SELECT FROM subscriptions s WHERE s.code = listed.code AND s.plan_id = :plan_id)
""")

_SET = text("""
    UPDATE subscriptions SET price_version = :version
    WHERE id = :id AND price_version = :expected AND plan_id = :plan_id
    RETURNING id
""")

# Only those of which nothing else is due, and no period before, and which come to exactly what was shown and to no more
# than may be charged: the others are moved one by one. What another process works on is left to it.
# The ids of each step are said as an array too: by a join alone, tables that are believed to be empty are gone through.
_MOVE_DUE = text(f"""
    WITH due AS (
        SELECT x.id, x.subscription_id, x.effective_at, CAST(x.parameters ->> 'version' AS smallint) AS version,
               CAST(x.preview ->> 'before' AS bigint) AS before, CAST(x.preview ->> 'after' AS bigint) AS after
        FROM changes x
        WHERE x.status = 'scheduled' AND x.waits_for IS NULL AND x.effective_at <= :now AND x.kind = 'change_price'
          AND NOT EXISTS (
            SELECT FROM changes o
            WHERE o.subscription_id = x.subscription_id AND o.status = 'scheduled' AND o.waits_for IS NULL
              AND o.effective_at <= :now AND o.id <> x.id OFFSET 0)
        ORDER BY x.effective_at, x.id LIMIT :limit
        FOR UPDATE SKIP LOCKED
    ), free AS (
        SELECT due.id AS change_id, due.version, s.id
        FROM due JOIN subscriptions s ON s.id = due.subscription_id {OWN_PLAN}
        WHERE s.id = ANY(ARRAY(SELECT subscription_id FROM due))
          AND s.status IN ('trialing', 'active', 'past_due') AND s.next_charge_at = due.effective_at
          AND due.before = {OWN_AMOUNT} AND due.after <= :max_amount AND NOT {CHARGED_ONCE}
          AND due.after = s.quantity * CASE due.version WHEN 1 THEN p.amount ELSE (
            SELECT n.amount FROM plan_prices n WHERE n.plan_id = s.plan_id AND n.version = due.version) END
        FOR NO KEY UPDATE OF s SKIP LOCKED
    ), moved AS (
        UPDATE subscriptions s SET price_version = free.version FROM free
        WHERE s.id = free.id AND s.id = ANY(ARRAY(SELECT id FROM free))
        RETURNING free.change_id
    )
    UPDATE changes c SET status = 'applied', status_at = :now,
        status_reason = COALESCE(c.preview #>> '{{sentence,en}}', 'applied')
    FROM moved
    WHERE c.id = moved.change_id AND c.id = ANY(ARRAY(SELECT change_id FROM moved)) AND c.status = 'scheduled'
    RETURNING c.id
""")  # noqa: S608 - constants only


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceVersion:
    """One version of a plan's price, in won; new subscriptions get it from `sold_from` on, until the next one's."""

    version: int
    amount: int
    tax_free: int
    vat_amount: int | None
    sold_from: datetime

    @property
    def amounts(self) -> Amounts:
        return Amounts(self.amount, self.tax_free, self.vat_amount)


@dataclass(frozen=True, slots=True)
class Member:
    """A subscription of a cohort, locked; `superseded` are the ids of its scheduled changes of price."""

    id: int
    code: str
    candidate: Candidate
    superseded: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Which subscriptions of a plan belong to a cohort: all, or those that signed up in a time, or that are listed."""

    plan_id: int
    since: datetime | None = None
    until: datetime | None = None
    codes: Sequence[str] | None = None


def add_price(session: Session, plan_id: int, amounts: Amounts, *, sold_from: datetime, now: datetime) -> int:
    """Add a version of a plan's price, and return its number."""
    session.execute(_LOCK_PLAN, {"plan_id": plan_id})
    values = {"plan_id": plan_id, "sold_from": sold_from, "now": now}
    amount = {"amount": amounts.amount, "tax_free": amounts.tax_free, "vat_amount": amounts.vat_amount}
    version: int = session.execute(_ADD, values | amount).scalar_one()
    return version


def not_of_plan(session: Session, plan_id: int, codes: Sequence[str]) -> Sequence[str]:
    """Return those of these codes that no subscription to a plan has."""
    return session.scalars(_NOT_OF_PLAN, {"plan_id": plan_id, "codes": list(codes)}).all()


def versions(session: Session, plan_id: int) -> Sequence[PriceVersion]:
    """Return every version of a plan's price, the first one first."""
    return [PriceVersion(**row._mapping) for row in session.execute(_VERSIONS, {"plan_id": plan_id})]  # noqa: SLF001 - public


def cohort(session: Session, members: Members, *, after: int, now: datetime, limit: int) -> Sequence[Member]:
    """Lock the next subscriptions of a cohort, by id."""
    asked = {
        "plan_id": members.plan_id,
        "since": members.since,
        "until": members.until,
        "codes": None if members.codes is None else list(members.codes),
    }
    rows = session.execute(_COHORT, {**asked, "after": after, "now": now, "limit": limit})
    return [
        Member(
            row.id,
            row.code,
            Candidate(
                status=SubscriptionStatus(row.status),
                anchor_on=row.anchor_on,
                next_charge_at=row.next_charge_at,
                paused_next_charge_at=row.paused_next_charge_at,
                price_version=row.price_version,
                quantity=row.quantity,
                canceled_from=row.canceled_from,
                has_due_change=row.has_due_change,
            ),
            row.superseded,
        )
        for row in rows
    ]


def set_version(session: Session, subscription_id: int, *, plan_id: int, expected: int, version: int) -> bool:
    """Move one locked subscription to a version of its plan's price; False when it has another one by now."""
    values = {"id": subscription_id, "plan_id": plan_id, "expected": expected, "version": version}
    return session.execute(_SET, values).first() is not None


def move_due(session: Session, *, max_amount: int, now: datetime, limit: int) -> int:
    """Apply changes of price whose time has come and which nothing else precedes, many at once; return how many.

    Left to be applied one by one is what does not come to exactly what was shown, or may come to more than `max_amount`
    won: such as another quantity, or a one-off item of the next charge.
    """
    return len(session.execute(_MOVE_DUE, {"max_amount": max_amount, "now": now, "limit": limit}).all())
