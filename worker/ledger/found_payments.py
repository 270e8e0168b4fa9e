"""Backfills: writing what PortOne shows and our records lack, which is payments, corrections and refunds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from schedules.periods import BillingPeriod
from schedules.plans import Plan
from worker.database.bulk import as_rows
from worker.database.mapping import OWN_PLAN_COLUMNS
from worker.domain.discrepancy_rules import refunded
from worker.domain.gateway import PaymentRecord
from worker.domain.lookup_evidence import answer_of
from worker.domain.merchant_uid import MerchantUid
from worker.domain.pricing.amounts import Amounts
from worker.domain.pricing.items import Item, plan_item
from worker.domain.states import ChargeStatus
from worker.ledger.adjustments import HAS_OPEN
from worker.ledger.terms import OWN_PLAN, own_plan
from worker.ledger.voiding import void

_SUBSCRIPTIONS = text(f"""
    SELECT s.code AS subscription_code, s.id, s.anchor_on,
           s.status = 'pending' AND NOT EXISTS (
               SELECT FROM charges c WHERE c.subscription_id = s.id AND c.status NOT IN ('void', 'due')
           ) AS has_not_started,
           s.quantity, {HAS_OPEN} AS is_adjusted, {OWN_PLAN_COLUMNS}
    FROM subscriptions s {OWN_PLAN}
    WHERE s.code = ANY(:codes)
""")  # noqa: S608 - constants only

# The charge first: it may be missing, or wait for its next try; void or paid elsewhere, it stays so. Then the attempt:
# it may be missing too, or have been declined or proved absent. What settles them meanwhile wins; nothing is written.
_BACKFILL = text("""
    WITH v AS (
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(
            subscription_id bigint, period_start timestamptz, period_end timestamptz, amount bigint, tax_free bigint,
            vat_amount bigint, currency text, order_name text, merchant_uid text, number smallint, imp_uid text,
            pg_tid text, http_status smallint, code text, message text, paid_at timestamptz, refunded bigint,
            raw jsonb, reason text)
    ), paid AS (
        INSERT INTO charges AS c (subscription_id, period_start, period_end, amount, tax_free, vat_amount, currency,
                                  order_name, status, status_reason, status_at, paid_at, refunded, created_at)
        SELECT v.subscription_id, v.period_start, v.period_end, v.amount, v.tax_free, v.vat_amount, v.currency,
               v.order_name, 'paid', v.reason, :now, v.paid_at, v.refunded, :now
        FROM v ORDER BY v.subscription_id, v.period_start
        ON CONFLICT (subscription_id, period_start) DO UPDATE
            SET status = 'paid', status_reason = excluded.status_reason, status_at = excluded.status_at,
                paid_at = excluded.paid_at, refunded = excluded.refunded, next_attempt_at = NULL,
                wait_reason = NULL
            -- What was claimed since it was judged is in flight under this very merchant_uid: look-ups settle it. But
            -- another attempt in flight must not keep a payment out: it would be sent again once that one has failed.
            WHERE c.status <> 'void' AND c.paid_elsewhere IS NULL AND NOT EXISTS (
                SELECT FROM attempts a WHERE a.charge_id = c.id AND a.status = 'paid')
              AND (c.status <> 'charging' OR EXISTS (
                SELECT FROM attempts a WHERE a.charge_id = c.id AND a.status IN ('started', 'unknown')
                AND a.merchant_uid NOT IN (SELECT v.merchant_uid FROM v)))
        RETURNING c.id, c.subscription_id, c.period_start, c.order_name, c.amount, c.tax_free, c.vat_amount
    ), itemised AS (  -- those that were missing: the others have their items
        INSERT INTO charge_items (charge_id, position, kind, description, quantity, unit_amount, amount, tax_free,
                                  vat_amount)
        SELECT paid.id, 1, 'plan', paid.order_name, s.quantity, paid.amount / s.quantity, paid.amount, paid.tax_free,
               paid.vat_amount
        FROM paid CROSS JOIN LATERAL (SELECT quantity FROM subscriptions WHERE id = paid.subscription_id OFFSET 0) s
        WHERE NOT EXISTS (SELECT FROM charge_items i WHERE i.charge_id = paid.id)
        ON CONFLICT (charge_id, position) DO NOTHING
    )
    INSERT INTO attempts AS a (charge_id, billing_key_id, number, merchant_uid, status, status_reason, status_at, sends,
                               started_at, lease_until, settled_at, imp_uid, pg_tid, http_status, code, message, raw)
    SELECT paid.id, s.billing_key_id, v.number, v.merchant_uid, 'paid', v.reason, :now, 1, v.paid_at, v.paid_at, :now,
           v.imp_uid, v.pg_tid, v.http_status, v.code, v.message, v.raw
    FROM v JOIN paid USING (subscription_id, period_start) JOIN subscriptions s ON s.id = v.subscription_id
    ON CONFLICT (merchant_uid) DO UPDATE
        SET status = 'paid', status_reason = excluded.status_reason, status_at = excluded.status_at,
            settled_at = excluded.settled_at, imp_uid = excluded.imp_uid, pg_tid = excluded.pg_tid,
            http_status = excluded.http_status, code = excluded.code, message = excluded.message, raw = excluded.raw,
            decline_kind = NULL
        WHERE a.status IN ('declined', 'not_charged')
    RETURNING a.id, a.charge_id, a.merchant_uid
""")

_DUE_FOR_EARLIER_DAYS = text("""
    SELECT c.id FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id bigint, period_start timestamptz)
    JOIN subscriptions s ON s.id = v.id AND s.status = 'pending'
    JOIN charges c ON c.subscription_id = v.id
    WHERE c.status = 'due' AND c.period_start < v.period_start
""")

_MOVE_ANCHORS = text("""
    UPDATE subscriptions s SET anchor_on = v.anchor_on
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id bigint, anchor_on date)
    WHERE s.id = v.id AND s.status = 'pending' AND s.anchor_on <> v.anchor_on
""")

# Only a hard decline kills a key, and only its attempt shows that it was one.
_REVIVE_KEYS = text("""
    UPDATE billing_keys k
    SET status = 'active', status_at = :now,
        status_reason = 'the decline that killed it was wrong: PortOne shows a payment'
    FROM attempts a
    WHERE a.id = ANY(:ids) AND k.id = a.billing_key_id AND k.status = 'dead'
      AND NOT EXISTS (
        SELECT FROM attempts o WHERE o.billing_key_id = k.id AND o.status = 'declined' AND o.decline_kind = 'hard')
""")

_RECORD_REFUNDS = text("""
    UPDATE charges c SET refunded = v.refunded
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(charge_id bigint, refunded bigint)
    WHERE c.id = v.charge_id AND c.status = 'paid' AND c.paid_elsewhere IS NULL
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSubscription:
    """The subscription that a payment found at PortOne is for; `plan` is None when it cannot be read."""

    id: int
    anchor_on: date
    has_not_started: bool
    plan: Plan | None  # with the amounts of a whole period of this subscription
    line: Item
    is_adjusted: bool  # a missing charge differs from its plan by adjustments
    plan_error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningTerms:
    """What a charge is opened with when it is missing."""

    order_name: str
    amount: int
    currency: str
    tax_free: int
    vat_amount: int | None


@dataclass(frozen=True, slots=True)
class WrittenAttempt:
    """The attempt, and its charge, that a found payment has made paid."""

    id: int
    charge_id: int
    merchant_uid: str


@dataclass(frozen=True, slots=True)
class Backfill:
    """A payment to be written into our records, and the period that it pays."""

    record: PaymentRecord
    parts: MerchantUid
    subscription_id: int
    period: BillingPeriod
    terms: OpeningTerms
    reason: str
    as_planned: bool  # the amount is the charge's, or what the plan asks for
    anchor_on: date | None = None  # the day from which its subscription counts, if it has not started yet
    line: Item | None = None  # what its plan comes to, where the charge may be missing


def subscriptions_by_code(session: Session, codes: Iterable[str]) -> Mapping[str, KnownSubscription]:
    """Return subscriptions with their plans, by code; those that are not in our records are left out."""
    rows = session.execute(_SUBSCRIPTIONS, {"codes": sorted(set(codes))})
    return {row.subscription_code: _known_subscription(row) for row in rows}


def backfill_payments(
    session: Session, backfills: Sequence[Backfill], *, now: datetime
) -> Mapping[str, WrittenAttempt]:
    """Mark the charges and attempts of payments as paid, inserting missing ones; at most one payment per period.

    Returns what was written, by merchant_uid.
    """
    rows = [_row(backfill) for backfill in backfills]
    written = session.execute(_BACKFILL, {"rows": as_rows(rows), "now": now})
    return {row.merchant_uid: WrittenAttempt(row.id, row.charge_id, row.merchant_uid) for row in written}


def move_anchors(session: Session, backfills: Iterable[Backfill], *, now: datetime) -> None:
    """Anchor subscriptions that have not started at the day that their first payment was for.

    Charges that a payment window was to pay on an earlier day, and has not paid, are voided.
    """
    rows = [
        {"id": each.subscription_id, "anchor_on": each.anchor_on.isoformat(), "period_start": each.period.start}
        for each in backfills
        if each.anchor_on
    ]
    left = session.scalars(_DUE_FOR_EARLIER_DAYS, {"rows": as_rows(rows)}).all()
    reason = "its payment window was left unpaid, and the subscription started on another day"
    void(session, left, expecting={ChargeStatus.DUE}, reason=reason, now=now)
    session.execute(_MOVE_ANCHORS, {"rows": as_rows(rows)})


def revive_keys(session: Session, attempt_ids: Sequence[int], *, now: datetime) -> None:
    """Mark billing keys as active again that were marked dead by a decline which proved to be a payment."""
    session.execute(_REVIVE_KEYS, {"ids": list(attempt_ids), "now": now})


def record_refunds(session: Session, refunded: Mapping[int, int]) -> None:
    """Record how much of each paid charge PortOne shows as refunded, by charge id."""
    rows = [{"charge_id": charge_id, "refunded": amount} for charge_id, amount in refunded.items()]
    session.execute(_RECORD_REFUNDS, {"rows": as_rows(rows)})


def _known_subscription(row: Row[Any]) -> KnownSubscription:
    plan, error = None, ""
    try:
        plan = own_plan(row)
    except (ValueError, LookupError, OSError) as unreadable:
        error = str(unreadable)
    return KnownSubscription(
        id=row.id,
        anchor_on=row.anchor_on,
        has_not_started=row.has_not_started,
        plan=plan,
        line=plan_item(row.name, Amounts(row.amount, row.tax_free, row.vat_amount), row.quantity),
        is_adjusted=row.is_adjusted,
        plan_error=error,
    )


def _row(backfill: Backfill) -> dict[str, Any]:
    record = backfill.record
    return {
        "order_name": backfill.terms.order_name,
        "tax_free": backfill.terms.tax_free,
        "vat_amount": backfill.terms.vat_amount,
        "subscription_id": backfill.subscription_id,
        "period_start": backfill.period.start,
        "period_end": backfill.period.end,
        "amount": record.amount,
        "currency": record.currency,
        "merchant_uid": record.merchant_uid,
        "number": backfill.parts.number,
        "paid_at": record.paid_at,
        "refunded": refunded(record),
        **asdict(answer_of(record)),
        "reason": backfill.reason,
    }
