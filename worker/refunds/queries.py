"""SQL of refunds: a charge with its payment, as far as it can be refunded, and the refunds of a charge. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from schedules.periods import BillingPeriod
from worker.domain.pricing.amounts import Amounts
from worker.domain.states import ChargeStatus
from worker.ledger.archive import answer_of
from worker.ledger.period_ends import COVERS_UNTIL, CREDITED
from worker.refunds.terms import RefundableCharge

_ANSWER = answer_of("a")

# What was paid is what PortOne has said; an operator may have accepted another amount than that of the charge.
_CHARGE = text(f"""
    SELECT c.id, c.status, c.amount, c.tax_free, c.vat_amount, c.currency, c.period_start,
           {COVERS_UNTIL} AS covers_until, c.covers_until IS NOT DISTINCT FROM c.period_end AS is_cut, c.paid_at,
           c.refunded, p.time_zone, paid.imp_uid, paid.merchant_uid, paid.pg, paid.pay_method,
           COALESCE(paid.amount, c.amount) AS paid,
           (SELECT count(*) FROM attempts o WHERE o.charge_id = c.id AND o.status = 'paid') AS payments,
           COALESCE(ours.amount, 0) AS our_amount, COALESCE(ours.tax_free, 0) AS our_tax_free,
           ours.vat_amount AS our_vat_amount, open.id AS open_refund, {CREDITED} AS credited
    FROM (SELECT * FROM charges WHERE id = :id OFFSET 0) c
    CROSS JOIN LATERAL (SELECT * FROM subscriptions WHERE id = c.subscription_id OFFSET 0) s
    CROSS JOIN LATERAL (SELECT * FROM plans WHERE id = s.plan_id OFFSET 0) p
    LEFT JOIN LATERAL (
        SELECT a.imp_uid, a.merchant_uid, COALESCE({_ANSWER} ->> 'pg_provider', k.pg) AS pg,
               COALESCE({_ANSWER} ->> 'pay_method', '') AS pay_method,
               CASE WHEN jsonb_typeof({_ANSWER} -> 'amount') = 'number'
                   THEN trunc(({_ANSWER} ->> 'amount')::numeric)::bigint END AS amount
        FROM attempts a
        LEFT JOIN LATERAL (SELECT pg FROM billing_keys WHERE id = a.billing_key_id OFFSET 0) k ON true
        WHERE a.charge_id = c.id AND a.status = 'paid' ORDER BY a.number LIMIT 1
    ) paid ON true
    LEFT JOIN LATERAL (
        SELECT sum(r.amount)::bigint AS amount, sum(r.tax_free)::bigint AS tax_free,
               sum(r.vat_amount)::bigint AS vat_amount
        FROM refunds r WHERE r.imp_uid = paid.imp_uid AND r.status = 'completed'
    ) ours ON true
    LEFT JOIN refunds open ON open.imp_uid = paid.imp_uid AND open.status IN ('requested', 'unclear')
""")  # noqa: S608 - constants only

_OF_CHARGE = text("""
    SELECT r.id, r.change_id, r.discrepancy_id, r.amount, r.tax_free, r.vat_amount, r.currency, r.status,
           r.status_reason, r.status_at, r.reason, r.requested_by, r.started_at, r.sent_at, r.sends, r.next_try_at,
           r.flagged_at, r.settled_at, r.http_status, r.code, r.message, r.cancellation_id, r.imp_uid, r.ends_at
    FROM refunds r
    WHERE r.id IN (
        SELECT id FROM refunds WHERE charge_id = :id
        UNION
        SELECT o.id FROM attempts a JOIN refunds o ON o.imp_uid = a.imp_uid WHERE a.charge_id = :id)
    ORDER BY r.id
""")

# What a sweep or a look has found in PortOne's history of the payment, without those that have a reference of ours.
_IN_CONSOLE = text("""
    SELECT (e ->> 'amount')::bigint AS amount, (e ->> 'at')::timestamptz AS at, e ->> 'reason' AS reason,
           e ->> 'cancellation_id' AS cancellation_id
    FROM discrepancies d CROSS JOIN LATERAL jsonb_array_elements(d.evidence -> 'refunds') e
    WHERE d.charge_id = :id AND d.kind = 'refunded_there' AND jsonb_typeof(d.evidence -> 'refunds') = 'array'
      AND NOT EXISTS (
        SELECT FROM refunds r WHERE r.imp_uid = d.imp_uid AND strpos(e ->> 'reason', r.reference) > 0)
    ORDER BY at
""")


def refundable_charge(session: Session, charge_id: int) -> RefundableCharge | None:
    """Return a charge with its payment and what was refunded of it; None for an unknown one."""
    row = session.execute(_CHARGE, {"id": charge_id}).one_or_none()
    return None if row is None else _refundable(row)


def refunds_of_charge(session: Session, charge_id: int) -> Sequence[Mapping[str, Any]]:
    """Return the refunds that were asked for through Again, of any payment of a charge, the oldest first."""
    return [dict(row._mapping) for row in session.execute(_OF_CHARGE, {"id": charge_id})]  # noqa: SLF001 - public


def refunds_in_console(session: Session, charge_id: int) -> Sequence[Mapping[str, Any]]:
    """Return the refunds of a charge's payment that were made in PortOne's console, as far as PortOne has told them."""
    return [dict(row._mapping) for row in session.execute(_IN_CONSOLE, {"id": charge_id})]  # noqa: SLF001 - public


def _refundable(row: Row[Any]) -> RefundableCharge:
    return RefundableCharge(
        id=row.id,
        status=ChargeStatus(row.status),
        charged=Amounts(row.amount, row.tax_free, row.vat_amount),
        currency=row.currency,
        period=BillingPeriod(row.period_start, row.covers_until),
        zone=ZoneInfo(row.time_zone),
        paid_at=row.paid_at,
        payments=row.payments,
        imp_uid=row.imp_uid or "",
        merchant_uid=row.merchant_uid or "",
        pg=row.pg or "",
        pay_method=row.pay_method or "",
        paid=row.paid,
        refunded=row.refunded,
        credited=row.credited,
        is_cut=row.is_cut,
        ours=Amounts(row.our_amount, row.our_tax_free, row.our_vat_amount),
        open_refund=row.open_refund,
    )
