"""Writing into the books what PortOne shows and they do not have: payments, corrections, and money given back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from schedules.periods import BillingPeriod
from worker.database.rows import as_rows
from worker.differences import given_back
from worker.gateway import PaymentRecord
from worker.merchant_uid import MerchantUid

_SUBSCRIPTIONS = text("""
    SELECT s.code AS subscription_code, s.id, s.anchor_on,
           p.code, p.name, p.amount, p.tax_free, p.vat_amount, p.currency, p.cadence, p.time_zone, p.charge_hour,
           p.trial_days, p.catch_up, p.dunning
    FROM subscriptions s JOIN plans p ON p.id = s.plan_id
    WHERE s.code = ANY(:codes)
""")

# The charge first: it may be missing, or wait for its next try; a void one stays void. Then the attempt: it may be
# missing too, or have been declined or proved absent. Whoever settles them meanwhile wins, and nothing is written.
_ADOPT = text("""
    WITH v AS (
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(
            subscription_id bigint, period_start timestamptz, period_end timestamptz, amount bigint, tax_free bigint,
            vat_amount bigint, currency text, order_name text, merchant_uid text, number smallint, imp_uid text,
            pg_tid text, paid_at timestamptz, refunded bigint, raw jsonb, reason text)
    ), paid AS (
        INSERT INTO charges AS c (subscription_id, period_start, period_end, amount, tax_free, vat_amount, currency,
                                  order_name, status, status_reason, status_at, paid_at, refunded, created_at)
        SELECT v.subscription_id, v.period_start, v.period_end, v.amount, v.tax_free, v.vat_amount, v.currency,
               v.order_name, 'paid', v.reason, :now, v.paid_at, v.refunded, :now
        FROM v ORDER BY v.subscription_id, v.period_start
        ON CONFLICT (subscription_id, period_start) DO UPDATE
            SET status = 'paid', status_reason = excluded.status_reason, status_at = excluded.status_at,
                paid_at = excluded.paid_at, refunded = excluded.refunded, next_attempt_at = NULL
            -- Whatever was claimed since it was judged is in flight: the next sweep judges it anew.
            WHERE c.status NOT IN ('void', 'charging') AND NOT EXISTS (
                SELECT FROM attempts a WHERE a.charge_id = c.id AND a.status = 'paid')
        RETURNING c.id, c.subscription_id, c.period_start
    )
    INSERT INTO attempts AS a (charge_id, billing_key_id, number, merchant_uid, status, status_reason, status_at, sends,
                               started_at, lease_until, settled_at, imp_uid, pg_tid, raw)
    SELECT paid.id, s.billing_key_id, v.number, v.merchant_uid, 'paid', v.reason, :now, 1, v.paid_at, v.paid_at, :now,
           v.imp_uid, v.pg_tid, v.raw
    FROM v JOIN paid USING (subscription_id, period_start) JOIN subscriptions s ON s.id = v.subscription_id
    ON CONFLICT (merchant_uid) DO UPDATE
        SET status = 'paid', status_reason = excluded.status_reason, status_at = excluded.status_at,
            settled_at = excluded.settled_at, imp_uid = excluded.imp_uid, pg_tid = excluded.pg_tid, raw = excluded.raw,
            decline_kind = NULL
        WHERE a.status IN ('declined', 'not_charged')
    RETURNING a.id, a.charge_id, a.merchant_uid
""")

_REFUNDED = text("""
    UPDATE charges c SET refunded = v.refunded
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(charge_id bigint, refunded bigint)
    WHERE c.id = v.charge_id AND c.status = 'paid'
""")


@dataclass(frozen=True, slots=True)
class Adoption:
    """A payment to be written into the books, and the period that it pays."""

    record: PaymentRecord
    parts: MerchantUid
    subscription_id: int
    period: BillingPeriod
    terms: Mapping[str, Any]  # what its charge is opened with, should it be missing
    reason: str


def subscriptions(session: Session, codes: Iterable[str]) -> Mapping[str, Row[Any]]:
    """Give subscriptions with their plans, by code; those that are not there are left out."""
    rows = session.execute(_SUBSCRIPTIONS, {"codes": sorted(set(codes))})
    return {row.subscription_code: row for row in rows}


def adopt(session: Session, adoptions: Sequence[Adoption], *, now: datetime) -> Mapping[str, Row[Any]]:
    """Make these payments' charges and attempts paid, opening what is missing; one payment per period at most.

    Returns attempt and charge ids by merchant_uid, for those that were written.
    """
    rows = [_row(adoption) for adoption in adoptions]
    return {row.merchant_uid: row for row in session.execute(_ADOPT, {"rows": as_rows(rows), "now": now})}


def note_refunds(session: Session, refunded: Mapping[int, int]) -> None:
    """Write down how much of paid charges PortOne shows as given back, by charge id."""
    rows = [{"charge_id": charge_id, "refunded": amount} for charge_id, amount in refunded.items()]
    session.execute(_REFUNDED, {"rows": as_rows(rows)})


def _row(adoption: Adoption) -> dict[str, Any]:
    record = adoption.record
    return {
        **adoption.terms,
        "subscription_id": adoption.subscription_id,
        "period_start": adoption.period.start,
        "period_end": adoption.period.end,
        "amount": record.amount,
        "currency": record.currency,
        "merchant_uid": record.merchant_uid,
        "number": adoption.parts.number,
        "imp_uid": record.imp_uid,
        "pg_tid": record.pg_tid,
        "paid_at": record.paid_at,
        "refunded": given_back(record),
        "raw": record.raw,
        "reason": adoption.reason,
    }
