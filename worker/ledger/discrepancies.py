"""Discrepancies as rows, and what our records have about payments found at PortOne."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.database.bulk import as_rows
from worker.domain.attempt import Attempt
from worker.domain.discrepancy_rules import MEANINGS, REPAIRABLE, DiscrepancyKind, DiscrepancyStatus, LocalRecord
from worker.domain.gateway import Cancellation, PaymentRecord
from worker.domain.merchant_uid import MerchantUid
from worker.domain.states import AttemptStatus, ChargeStatus
from worker.ledger.found_payments import WrittenAttempt

_LOCAL_RECORDS = text("""
    SELECT v.place, s.id AS subscription_id, c.id AS charge_id, c.status AS charge_status, c.amount, c.currency,
           COALESCE(c.refunded, 0) AS refunded, a.id AS attempt_id, a.status AS attempt_status, a.imp_uid,
           EXISTS (SELECT FROM refunds r WHERE r.imp_uid = a.imp_uid AND r.status IN ('requested', 'unclear')
                   AND r.flagged_at IS NULL) AS refunding,
           a.flagged_at IS NOT NULL AS flagged, c.paid_elsewhere IS NOT NULL AS paid_elsewhere,
           (SELECT min(o.merchant_uid) FROM attempts o
            WHERE o.charge_id = c.id AND o.status = 'paid' AND o.merchant_uid <> v.merchant_uid) AS paid_by
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(
        place integer, merchant_uid text, subscription text, period_start timestamptz)
    LEFT JOIN subscriptions s ON s.code = v.subscription
    LEFT JOIN charges c ON c.subscription_id = s.id AND c.period_start = v.period_start
    LEFT JOIN attempts a ON a.merchant_uid = v.merchant_uid
    ORDER BY v.place
""")

# What an operator has decided stays decided, however often it is found again; but an attempt that they had sent again,
# and that is unclear once more, is another question.
_RECORD = text("""
    INSERT INTO discrepancies AS d (kind, status, status_reason, status_at, merchant_uid, imp_uid,
                                    charge_id, attempt_id, evidence, found_at, seen_at)
    SELECT v.kind, v.status, v.reason, :now, v.merchant_uid, v.imp_uid, v.charge_id, v.attempt_id, v.evidence, :now,
           :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(
        kind text, status text, reason text, merchant_uid text, imp_uid text, charge_id bigint, attempt_id bigint,
        evidence jsonb)
    ON CONFLICT (kind, merchant_uid, imp_uid) DO UPDATE SET
        seen_at = excluded.seen_at, status = excluded.status, status_reason = excluded.status_reason,
        status_at = CASE WHEN d.status = excluded.status THEN d.status_at ELSE excluded.status_at END,
        charge_id = COALESCE(excluded.charge_id, d.charge_id), attempt_id = COALESCE(excluded.attempt_id, d.attempt_id),
        -- A refund that an operator has started stays known.
        evidence = excluded.evidence || jsonb_strip_nulls(jsonb_build_object('refund', d.evidence -> 'refund'))
        WHERE d.status <> 'resolved' OR d.kind = 'unresolved'
    RETURNING d.id, d.status, xmax = 0 AS is_new
""")

_LOCK_ATTEMPTS = text("SELECT id FROM attempts WHERE charge_id = ANY(:ids) ORDER BY id FOR UPDATE")
_LOCK_CHARGES = text("SELECT id FROM charges WHERE id = ANY(:ids) ORDER BY id FOR UPDATE")

_CLOSE = text("""
    UPDATE discrepancies SET status = 'gone', status_reason = :reason, status_at = :now
    WHERE status = 'open' AND kind = ANY(:kinds) AND merchant_uid = ANY(:merchant_uids)
    RETURNING id
""")

_HAS_PAYMENT_NOT_IN_RECORDS = text("""
    SELECT EXISTS (
        SELECT FROM discrepancies
        WHERE status = 'open' AND kind = 'not_in_records' AND starts_with(merchant_uid, :prefix))
""")

# Paid here in that time, and not among PortOne's payments. What an operator has decided already is left out, and what
# was refunded, which stands in another day's list. In random order: should there be many, each has its turn some day.
_NOT_LISTED = text("""
    SELECT a.id AS attempt_id, a.charge_id, a.merchant_uid, a.imp_uid, c.amount, c.currency, c.paid_at
    FROM charges c JOIN attempts a ON a.charge_id = c.id AND a.status = 'paid'
    WHERE c.paid_at >= :since AND c.paid_at < :until AND c.refunded < c.amount AND c.paid_elsewhere IS NULL
      AND NOT EXISTS (SELECT FROM unnest(CAST(:listed AS text[])) AS listed (imp_uid) WHERE listed.imp_uid = a.imp_uid)
      AND NOT EXISTS (
        SELECT FROM discrepancies d
        WHERE d.kind = 'not_there' AND d.merchant_uid = a.merchant_uid AND d.status = 'resolved')
    ORDER BY random()
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDiscrepancy:
    """A discrepancy to be recorded. `evidence` holds both sides, as far as they may be stored."""

    kind: DiscrepancyKind
    status: DiscrepancyStatus
    reason: str
    merchant_uid: str
    imp_uid: str = ""
    charge_id: int | None = None
    attempt_id: int | None = None
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlistedPayment:
    """A payment in our records that is not among those that PortOne's lists show."""

    attempt_id: int
    charge_id: int
    merchant_uid: str
    imp_uid: str
    amount: int
    currency: str
    paid_at: datetime


def local_records(session: Session, payments: Sequence[tuple[PaymentRecord, MerchantUid]]) -> list[LocalRecord]:
    """Return what our records have about each of these payments of ours, in their order."""
    rows = [
        {
            "place": place,
            "merchant_uid": record.merchant_uid,
            "subscription": parts.subscription_code,
            "period_start": parts.period_start,
        }
        for place, (record, parts) in enumerate(payments)
    ]
    return [_local_record(row) for row in session.execute(_LOCAL_RECORDS, {"rows": as_rows(rows)})]


def record(session: Session, found: Iterable[NewDiscrepancy], *, now: datetime) -> int:
    """Record discrepancies, one row each however often they are found, and return how many are new and open."""
    # One statement cannot touch a row twice.
    unique = {(each.kind, each.merchant_uid, each.imp_uid): each for each in found}
    if not unique:
        return 0
    written = session.execute(_RECORD, {"rows": as_rows(map(_row, unique.values())), "now": now})
    return sum(row.is_new and row.status == DiscrepancyStatus.OPEN for row in written)


def lock_charges(session: Session, charge_ids: Sequence[int]) -> None:
    """Lock charges with their attempts, in the order in which a write-back does, until the transaction ends."""
    session.execute(_LOCK_ATTEMPTS, {"ids": list(charge_ids)})
    session.execute(_LOCK_CHARGES, {"ids": list(charge_ids)})


def has_payment_not_in_records(session: Session, merchant_uid_prefix: str) -> bool:
    """Return whether a payment under this prefix waits for an operator because it names no period of this database."""
    return bool(session.scalar(_HAS_PAYMENT_NOT_IN_RECORDS, {"prefix": merchant_uid_prefix}))


def close(
    session: Session, merchant_uids: Sequence[str], kinds: Iterable[DiscrepancyKind], *, reason: str, now: datetime
) -> int:
    """Close open discrepancies because PortOne and our records agree by now, and return how many."""
    wanted = {"merchant_uids": list(merchant_uids), "kinds": [kind.value for kind in kinds]}
    return len(session.execute(_CLOSE, {**wanted, "reason": reason, "now": now}).all())


def payments_not_listed(
    session: Session, *, since: datetime, until: datetime, listed: Sequence[str]
) -> Sequence[UnlistedPayment]:
    """Return our payments made from `since` to `until`, by PortOne's own times, whose imp_uids are not `listed`."""
    rows = session.execute(_NOT_LISTED, {"since": since, "until": until, "listed": list(listed)})
    return [UnlistedPayment(**row._mapping) for row in rows]  # noqa: SLF001 - public, despite its name


def of_payment(
    kind: DiscrepancyKind,
    record: PaymentRecord,
    local: LocalRecord,
    parts: MerchantUid,
    written: WrittenAttempt | None = None,
) -> NewDiscrepancy:
    """Return the discrepancy of a payment; `written` holds the charge and attempt that were just backfilled for it."""
    repaired = kind is DiscrepancyKind.REFUNDED_THERE or (kind in REPAIRABLE and written is not None)
    return NewDiscrepancy(
        kind=kind,
        status=DiscrepancyStatus.REPAIRED if repaired else DiscrepancyStatus.OPEN,
        reason=MEANINGS[kind],
        merchant_uid=record.merchant_uid,
        imp_uid=record.imp_uid,
        charge_id=local.charge_id if written is None else written.charge_id,
        attempt_id=local.attempt_id if written is None else written.id,
        evidence={
            "portone": record.raw,
            **({"refunds": [_refund(each) for each in record.cancellations]} if record.cancellations else {}),
            "records": {**asdict(local), "subscription": parts.subscription_code, "period_start": parts.period_start},
        },
    )


def _refund(cancellation: Cancellation) -> Mapping[str, Any]:
    """Return what PortOne shows of one refund, ours or in its console."""
    at = cancellation.canceled_at
    return {
        "amount": cancellation.amount,
        "at": None if at is None else at.isoformat(),
        "reason": cancellation.reason,
        "cancellation_id": cancellation.cancellation_id,
    }


def of_unresolved_attempt(attempt: Attempt, reason: str) -> NewDiscrepancy:
    """Return the discrepancy of an attempt whose look-ups are used up or showed something implausible."""
    return NewDiscrepancy(
        kind=DiscrepancyKind.UNRESOLVED,
        status=DiscrepancyStatus.OPEN,
        reason=reason,
        merchant_uid=attempt.request.merchant_uid,
        charge_id=attempt.charge.id,
        attempt_id=attempt.id,
        evidence={"portone": None, "records": {"attempt": AttemptStatus.UNKNOWN.value, "reason": reason}},
    )


def _local_record(row: Row[Any]) -> LocalRecord:
    return LocalRecord(
        subscription_id=row.subscription_id,
        charge_id=row.charge_id,
        charge_status=None if row.charge_status is None else ChargeStatus(row.charge_status),
        amount=row.amount,
        currency=row.currency,
        refunded=row.refunded,
        attempt_id=row.attempt_id,
        attempt_status=None if row.attempt_status is None else AttemptStatus(row.attempt_status),
        imp_uid=row.imp_uid,
        paid_by=row.paid_by,
        paid_elsewhere=row.paid_elsewhere,
        flagged=bool(row.flagged),
        refunding=row.refunding,
    )


def _row(found: NewDiscrepancy) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "status": found.status,
        "reason": found.reason,
        "merchant_uid": found.merchant_uid,
        "imp_uid": found.imp_uid,
        "charge_id": found.charge_id,
        "attempt_id": found.attempt_id,
        "evidence": found.evidence,
    }
