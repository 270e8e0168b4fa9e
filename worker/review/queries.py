"""Discrepancies as a person reads and decides them. Every decision is guarded: of two people at once, one wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from schedules.periods import BillingPeriod
from worker.database.audit_reason import give_reason
from worker.database.mapping import KNOWN_ATTEMPT, OF_AN_ATTEMPT, known_attempt
from worker.domain.attempt import Attempt
from worker.domain.discrepancy_rules import DiscrepancyKind
from worker.domain.gateway import PaymentRecord
from worker.domain.merchant_uid import MerchantUid, parse
from worker.ledger.found_payments import Adoption

_LISTED_COLUMNS = """
    d.id, d.kind, d.status, d.status_reason, d.status_at, d.decided_by, d.merchant_uid, d.imp_uid,
    COALESCE(d.charge_id, c.id) AS charge_id, s.code AS subscription, s.customer_reference,
    COALESCE(p.time_zone, 'Asia/Seoul') AS time_zone,
    CASE WHEN d.kind = 'unresolved' AND jsonb_typeof(shown.raw -> 'amount') = 'number'
        THEN trunc((shown.raw ->> 'amount')::numeric)
        WHEN jsonb_typeof(d.evidence #> '{portone,amount}') = 'number'
        THEN trunc((d.evidence #>> '{portone,amount}')::numeric) ELSE c.amount END AS amount,
    COALESCE(d.evidence #>> '{portone,currency}', c.currency, 'KRW') AS currency,
    COALESCE(c.refunded, 0) AS refunded, d.found_at, d.seen_at
"""

# A payment of a charge that was opened, or adopted, only after its discrepancy was found belongs to it all the same.
_LISTED_TABLES = """
    FROM discrepancies d
    LEFT JOIN LATERAL (
        SELECT * FROM charges WHERE id = COALESCE(d.charge_id, :charge_id)
    ) c ON true
    LEFT JOIN attempts shown ON shown.id = d.attempt_id
    LEFT JOIN subscriptions s ON s.id = c.subscription_id
    LEFT JOIN plans p ON p.id = s.plan_id
"""

_LISTED = text(f"""
    SELECT {_LISTED_COLUMNS} {_LISTED_TABLES}
    WHERE (d.status = 'open' OR :all) AND d.kind = COALESCE(:kind, d.kind)
    ORDER BY d.id DESC LIMIT :limit
""")

# What the books count as the charge's payment; of a charge whose attempts tell otherwise, the payment in question.
_KNOWN = text(f"""
    SELECT {_LISTED_COLUMNS}, d.evidence, d.attempt_id, c.status AS charge_status, c.amount AS charge_amount,
           c.tax_free AS charge_tax_free, c.vat_amount AS charge_vat_amount, c.currency AS charge_currency,
           c.refunded AS charge_refunded,
           c.period_start, c.period_end,
           CASE WHEN c.status = 'paid' THEN COALESCE(
               (SELECT array_agg(a.imp_uid) FROM attempts a WHERE a.charge_id = c.id AND a.status = 'paid'),
               ARRAY[d.imp_uid]) ELSE '{{}}' END AS counted,
           ARRAY(SELECT a.merchant_uid FROM attempts a
                 WHERE a.charge_id = c.id AND a.status = 'paid' AND a.merchant_uid <> d.merchant_uid
                 ORDER BY a.number) AS other_merchant_uids
    {_LISTED_TABLES}
    WHERE d.id = :id
""")  # noqa: S608 - constants only

_MERCHANT_UID = text("SELECT merchant_uid FROM discrepancies WHERE id = :id AND charge_id IS NULL")

_CHARGE_OF_PERIOD = text("""
    SELECT c.id FROM charges c JOIN subscriptions s ON s.id = c.subscription_id
    WHERE s.code = :code AND c.period_start = :period_start
""")

_UNKNOWN_ATTEMPT = text(f"""
    SELECT {KNOWN_ATTEMPT}
    FROM attempts a
    {OF_AN_ATTEMPT}
    WHERE a.id = :id AND a.status = 'unknown'
""")  # noqa: S608 - constants only

_OF_CHARGE = text("SELECT id, kind FROM discrepancies WHERE charge_id = :id AND status = 'open' ORDER BY id")

_DECIDE = text("""
    UPDATE discrepancies SET status = 'resolved', status_reason = :said, status_at = :now, decided_by = :by
    WHERE id = :id AND status = 'open'
    RETURNING id
""")

# The same refund may be repeated; another one waits until this one can no longer be under way.
_BEGIN_REFUND = text("""
    UPDATE discrepancies d
    SET evidence = d.evidence
        || jsonb_build_object('refund', jsonb_build_object(
            'imp_uid', CAST(:imp_uid AS text), 'by', CAST(:by AS text), 'at', CAST(:now AS timestamptz)))
    WHERE d.id = :id AND d.status = 'open' AND (
        d.evidence #> '{refund}' IS NULL OR d.evidence #>> '{refund,imp_uid}' = :imp_uid
        OR (d.evidence #>> '{refund,at}')::timestamptz <= :over_since)
    RETURNING d.id
""")

_REFUND_REFUSED = text("""
    UPDATE discrepancies SET evidence = evidence - 'refund'
    WHERE id = :id AND evidence #>> '{refund,imp_uid}' = :imp_uid
""")

_CHARGE_TERMS = text("""
    SELECT subscription_id, period_start, period_end, order_name, tax_free, vat_amount FROM charges WHERE id = :id
""")

_CHARGE_STATUS = text("SELECT status FROM charges WHERE id = :id")


def listed(
    session: Session, *, kind: DiscrepancyKind | None, closed_too: bool, limit: int
) -> Sequence[Mapping[str, Any]]:
    """List discrepancies, the newest first; those that wait for a person, or all."""
    wanted = {"kind": kind, "all": closed_too, "limit": limit, "charge_id": None}
    return [_named(row) for row in session.execute(_LISTED, wanted)]


def known(session: Session, discrepancy_id: int) -> Mapping[str, Any] | None:
    """Give one discrepancy with what the books have about its charge."""
    wanted = {"id": discrepancy_id, "charge_id": _charge_of_period(session, discrepancy_id)}
    row = session.execute(_KNOWN, wanted).one_or_none()
    return None if row is None else _named(row)


def unknown_attempt(session: Session, attempt_id: int) -> Attempt | None:
    """Give an attempt whose outcome is unknown; None when it is settled. Raises ValueError for an unreadable plan."""
    row = session.execute(_UNKNOWN_ATTEMPT, {"id": attempt_id}).one_or_none()
    return None if row is None else known_attempt(row)


def of_charge(session: Session, charge_id: int) -> Sequence[Row[Any]]:
    """List the discrepancies of a charge that wait for a person."""
    return session.execute(_OF_CHARGE, {"id": charge_id}).all()


def decide(session: Session, discrepancy_id: int, *, said: str, by: str, now: datetime) -> bool:
    """Resolve an open discrepancy; False when somebody else was faster."""
    wanted = {"id": discrepancy_id, "said": said, "by": by, "now": now}
    return session.execute(_DECIDE, wanted).first() is not None


def begin_refund(
    session: Session, discrepancy_id: int, *, imp_uid: str, said: str, by: str, now: datetime, over_since: datetime
) -> bool:
    """Write down that a refund is about to be asked for; False when another one may be under way.

    One that was begun at `over_since` or before is over. A trigger writes `said` into the audit.
    """
    give_reason(session, said, now=now)
    wanted = {"id": discrepancy_id, "imp_uid": imp_uid, "by": by, "now": now, "over_since": over_since}
    return session.execute(_BEGIN_REFUND, wanted).first() is not None


def refund_refused(session: Session, discrepancy_id: int, *, imp_uid: str) -> None:
    """Forget that a refund was begun: PortOne gave nothing back."""
    session.execute(_REFUND_REFUSED, {"id": discrepancy_id, "imp_uid": imp_uid})


def adoption(session: Session, charge_id: int, payment: PaymentRecord, parts: MerchantUid, *, reason: str) -> Adoption:
    """Plan that a payment pays this charge, whatever its amount."""
    row = session.execute(_CHARGE_TERMS, {"id": charge_id}).one()
    terms = {"order_name": row.order_name, "tax_free": row.tax_free, "vat_amount": row.vat_amount}
    period = BillingPeriod(row.period_start, row.period_end)
    return Adoption(payment, parts, row.subscription_id, period, terms, reason, as_planned=True)


def charge_status(session: Session, charge_id: int) -> str:
    return str(session.execute(_CHARGE_STATUS, {"id": charge_id}).scalar_one())


def _charge_of_period(session: Session, discrepancy_id: int) -> int | None:
    """Find the charge of a discrepancy that names none: its merchant_uid tells subscription and period."""
    merchant_uid = session.execute(_MERCHANT_UID, {"id": discrepancy_id}).scalar()
    parts = None if merchant_uid is None else parse(merchant_uid)
    if parts is None:
        return None
    wanted = {"code": parts.subscription_code, "period_start": parts.period_start}
    return session.execute(_CHARGE_OF_PERIOD, wanted).scalar()


def _named(row: Row[Any]) -> Mapping[str, Any]:
    """Name the subscription by its merchant_uid where the books do not have it. An amount may be beyond any column."""
    named = dict(row._mapping)  # noqa: SLF001 - public, despite its name
    named["amount"] = None if named["amount"] is None else int(named["amount"])
    if named["subscription"] is None and (parts := parse(named["merchant_uid"])) is not None:
        named["subscription"] = parts.subscription_code
    return named
