"""Discrepancies with their charges and attempts, as an operator reads them. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from schedules.periods import BillingPeriod
from worker.database.mapping import KNOWN_ATTEMPT, OF_AN_ATTEMPT, known_attempt
from worker.domain.attempt import Attempt
from worker.domain.discrepancy_rules import DiscrepancyKind, DiscrepancyStatus
from worker.domain.gateway import PaymentRecord
from worker.domain.merchant_uid import MerchantUid, parse
from worker.domain.states import ChargeStatus
from worker.ledger.archive import answer_of
from worker.ledger.found_payments import Backfill, OpeningTerms
from worker.review.case import ChargeFacts

_LISTED_COLUMNS = f"""
    d.id, d.kind, d.status, d.status_reason, d.status_at, d.decided_by, d.merchant_uid, d.imp_uid,
    COALESCE(d.charge_id, c.id) AS charge_id, s.code AS subscription, s.customer_reference,
    COALESCE(p.time_zone, 'Asia/Seoul') AS time_zone,
    CASE WHEN d.kind = 'unresolved' AND jsonb_typeof({answer_of("shown")} -> 'amount') = 'number'
        THEN trunc(({answer_of("shown")} ->> 'amount')::numeric)
        WHEN jsonb_typeof(d.evidence #> '{{portone,amount}}') = 'number'
        THEN trunc((d.evidence #>> '{{portone,amount}}')::numeric) ELSE c.amount END AS amount,
    COALESCE(d.evidence #>> '{{portone,currency}}', c.currency, 'KRW') AS currency,
    COALESCE(c.refunded, 0) AS refunded, d.found_at, d.seen_at
"""

# A charge that was opened or backfilled only after its discrepancy was found belongs to it, too.
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

# `counted` is what our records count as the payment of a paid charge; without a paid attempt, the payment in question.
_DETAILS = text(f"""
    SELECT {_LISTED_COLUMNS}, d.evidence, d.attempt_id, c.status AS charge_status, c.amount AS charge_amount,
           c.tax_free AS charge_tax_free, c.vat_amount AS charge_vat_amount, c.currency AS charge_currency,
           c.period_start, c.period_end,
           c.paid_elsewhere IS NOT NULL AS paid_elsewhere,
           CASE WHEN c.status = 'paid' AND c.paid_elsewhere IS NULL THEN COALESCE(
               (SELECT array_agg(a.imp_uid) FROM attempts a WHERE a.charge_id = c.id AND a.status = 'paid'),
               ARRAY[d.imp_uid]) ELSE '{{}}' END AS counted,
           ARRAY(SELECT a.merchant_uid FROM attempts a
                 WHERE a.charge_id = c.id AND a.status = 'paid' AND a.merchant_uid <> d.merchant_uid
                 ORDER BY a.number) AS other_merchant_uids
    {_LISTED_TABLES}
    WHERE d.id = :id
""")  # noqa: S608 - constants only

_MERCHANT_UID = text("SELECT merchant_uid FROM discrepancies WHERE id = :id AND charge_id IS NULL")

_CHARGE_COLUMNS = frozenset(
    {
        *("charge_status", "charge_amount", "charge_tax_free", "charge_vat_amount", "charge_currency", "counted"),
        "paid_elsewhere",
    }
)
"""The columns of _DETAILS that make its `charge`."""

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

_CHARGE_TERMS = text("""
    SELECT subscription_id, period_start, period_end, order_name, amount, currency, tax_free, vat_amount
    FROM charges WHERE id = :id
""")

_CHARGE_STATUS = text("SELECT status FROM charges WHERE id = :id")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDiscrepancy:
    """A discrepancy as a list shows it, with the charge and subscription that it is about, where there are any."""

    id: int
    kind: DiscrepancyKind
    status: DiscrepancyStatus
    status_reason: str
    status_at: datetime
    decided_by: str | None
    merchant_uid: str
    imp_uid: str
    charge_id: int | None
    subscription: str | None
    customer_reference: str | None
    time_zone: str
    amount: int | None  # in question: PortOne's, or else the charge's
    currency: str
    refunded: int  # of the charge
    found_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscrepancyDetails(ListedDiscrepancy):
    """A discrepancy with its evidence and everything that our records have about its charge."""

    evidence: Mapping[str, Any]
    attempt_id: int | None
    charge: ChargeFacts | None
    period_start: datetime | None  # of the charge
    period_end: datetime | None
    other_merchant_uids: Sequence[str]  # of the charge's other attempts that were paid


@dataclass(frozen=True, slots=True)
class OpenDiscrepancy:
    id: int
    kind: DiscrepancyKind


def list_discrepancies(
    session: Session, *, kind: DiscrepancyKind | None, closed_too: bool, limit: int
) -> Sequence[ListedDiscrepancy]:
    """Return discrepancies, the newest first: those that wait for a decision, or all."""
    wanted = {"kind": kind, "all": closed_too, "limit": limit, "charge_id": None}
    return [ListedDiscrepancy(**_values(row)) for row in session.execute(_LISTED, wanted)]


def find_details(session: Session, discrepancy_id: int) -> DiscrepancyDetails | None:
    """Return one discrepancy with what our records have about its charge."""
    wanted = {"id": discrepancy_id, "charge_id": _charge_of_period(session, discrepancy_id)}
    row = session.execute(_DETAILS, wanted).one_or_none()
    if row is None:
        return None
    columns = _values(row)
    values = {name: value for name, value in columns.items() if name not in _CHARGE_COLUMNS}
    return DiscrepancyDetails(charge=_charge(row), **values)


def find_unknown_attempt(session: Session, attempt_id: int) -> Attempt | None:
    """Return an attempt whose outcome is unknown; None when it is settled. Raises ValueError for an unreadable plan."""
    row = session.execute(_UNKNOWN_ATTEMPT, {"id": attempt_id}).one_or_none()
    return None if row is None else known_attempt(row)


def open_discrepancies_of(session: Session, charge_id: int) -> Sequence[OpenDiscrepancy]:
    """Return the discrepancies of a charge that wait for a decision."""
    return [
        OpenDiscrepancy(row.id, DiscrepancyKind(row.kind)) for row in session.execute(_OF_CHARGE, {"id": charge_id})
    ]


def backfill_of_charge(
    session: Session, charge_id: int, payment: PaymentRecord, parts: MerchantUid, *, reason: str
) -> Backfill:
    """Return the backfill by which a payment pays this charge, whatever its amount."""
    row = session.execute(_CHARGE_TERMS, {"id": charge_id}).one()
    terms = OpeningTerms(
        order_name=row.order_name,
        amount=row.amount,
        currency=row.currency,
        tax_free=row.tax_free,
        vat_amount=row.vat_amount,
    )
    period = BillingPeriod(row.period_start, row.period_end)
    return Backfill(payment, parts, row.subscription_id, period, terms, reason, as_planned=True)


def charge_status(session: Session, charge_id: int) -> ChargeStatus:
    return ChargeStatus(session.execute(_CHARGE_STATUS, {"id": charge_id}).scalar_one())


def _charge_of_period(session: Session, discrepancy_id: int) -> int | None:
    """Return the charge of a discrepancy that names none: its merchant_uid tells subscription and period."""
    merchant_uid = session.execute(_MERCHANT_UID, {"id": discrepancy_id}).scalar()
    parts = None if merchant_uid is None else parse(merchant_uid)
    if parts is None:
        return None
    wanted = {"code": parts.subscription_code, "period_start": parts.period_start}
    return session.execute(_CHARGE_OF_PERIOD, wanted).scalar()


def _values(row: Row[Any]) -> dict[str, Any]:
    """Return a row's values; the subscription is named by the merchant_uid where our records do not have it."""
    values = dict(row._mapping)  # noqa: SLF001 - public, despite its name
    values["kind"], values["status"] = DiscrepancyKind(row.kind), DiscrepancyStatus(row.status)
    values["amount"] = None if row.amount is None else int(row.amount)  # it may be beyond any column
    if row.subscription is None and (parts := parse(row.merchant_uid)) is not None:
        values["subscription"] = parts.subscription_code
    return values


def _charge(row: Row[Any]) -> ChargeFacts | None:
    if row.charge_id is None:
        return None
    return ChargeFacts(
        id=row.charge_id,
        status=ChargeStatus(row.charge_status),
        amount=row.charge_amount,
        tax_free=row.charge_tax_free,
        vat_amount=row.charge_vat_amount,
        currency=row.charge_currency,
        counted=frozenset(row.counted),
        paid_elsewhere=row.paid_elsewhere,
    )
