"""Refunds as rows: recorded before PortOne is asked, taken for their next try, and settled. The only writer of them.

A refund that is completed moves its charge's `refunded` in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.database.planning import plan_by_index
from worker.domain.changes import ChangeStatus
from worker.domain.gateway import Refund
from worker.domain.refund_settlement import OpenRefund, RefundSettlement
from worker.domain.refunds import OPEN_REFUNDS, RefundStatus
from worker.ledger import changes, found_payments

_COLUMNS = """
    id, imp_uid, merchant_uid, pg, currency, paid, checksum, amount, tax_free, vat_amount, reference, reason, status,
    sends, deferrals, sent_at, flagged_at, charge_id, change_id, discrepancy_id
"""

# Of two that ask for a refund of one payment at once, one meets the other's row.
_RECORD = text(f"""
    INSERT INTO refunds (charge_id, change_id, discrepancy_id, imp_uid, merchant_uid, pg, currency, paid, checksum,
                         amount, tax_free, vat_amount, ends_at, reference, reason, status, status_reason,
                         status_at, started_at, next_try_at)
    VALUES (:charge_id, :change_id, :discrepancy_id, :imp_uid, :merchant_uid, :pg, :currency, :paid, :checksum,
            :amount, :tax_free, :vat_amount, :ends_at, :reference, :reason, 'requested', :reason, :now, :now,
            :next_try_at)
    ON CONFLICT (imp_uid) WHERE status IN ('requested', 'unclear') DO NOTHING
    RETURNING {_COLUMNS}
""")  # noqa: S608 - constants only

_OPEN_OF = text(f"SELECT {_COLUMNS} FROM refunds WHERE imp_uid = :imp_uid AND status IN ('requested', 'unclear')")  # noqa: S608

_OF_CHANGE = text("SELECT EXISTS (SELECT FROM refunds WHERE change_id = :id)")

# Locked until it is settled or its next try is due: should this process die, another goes on then.
_TAKE = text(f"""
    UPDATE refunds SET next_try_at = :taken_until
    WHERE (status IN ('requested', 'unclear')) IS TRUE AND id = ANY(ARRAY(
        SELECT id FROM refunds WHERE status IN ('requested', 'unclear') AND next_try_at <= :now
        ORDER BY next_try_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ))
    RETURNING {_COLUMNS}
""")  # noqa: S608 - constants only

# Of two processes that are about to send it, one counts the request, and the other finds it counted. Its reference
# names a refund for ever: a restored database gives ids to other rows than a worker still has in its hands.
_START_SEND = text(f"""
    UPDATE refunds r
    SET sends = r.sends + 1, sent_at = :now, next_try_at = :taken_until, flagged_at = NULL
    FROM (SELECT id, sent_at AS earlier_sent_at FROM refunds WHERE reference = :reference FOR UPDATE) before
    WHERE r.id = before.id AND r.status IN ('requested', 'unclear') AND r.sends = :sends
    RETURNING {", ".join(f"r.{name.strip()}" for name in _COLUMNS.split(","))}, before.earlier_sent_at
""")  # noqa: S608 - constants only

_SETTLE = text("""
    UPDATE refunds
    SET status = CAST(:status AS text), status_reason = :reason,
        status_at = CASE WHEN status = CAST(:status AS text) THEN status_at ELSE CAST(:now AS timestamptz) END,
        next_try_at = :next_try_at,
        flagged_at = CASE WHEN CAST(:flagged AS boolean) THEN COALESCE(flagged_at, CAST(:now AS timestamptz)) END,
        settled_at = CASE WHEN CAST(:settled AS boolean) THEN CAST(:now AS timestamptz) END,
        sends = CASE WHEN CAST(:is_sent AS boolean) THEN sends ELSE sends - 1 END,
        sent_at = CASE WHEN CAST(:is_sent AS boolean) OR sends > 1 THEN sent_at END,
        deferrals = CASE WHEN CAST(:is_sent AS boolean) THEN 0 ELSE deferrals + 1 END,
        http_status = CASE WHEN CAST(:answered AS boolean) THEN CAST(:http_status AS smallint) ELSE http_status END,
        code = CASE WHEN CAST(:answered AS boolean) THEN CAST(:code AS text) ELSE code END,
        message = CASE WHEN CAST(:answered AS boolean) THEN CAST(:message AS text) ELSE message END,
        cancellation_id = CAST(:cancellation_id AS text)
    WHERE reference = :reference AND status IN ('requested', 'unclear') AND sends = :sends
    RETURNING id
""")

# Before the refund's own row, as everything does that asks for a refund of the charge.
_LOCK_CHARGE = text("SELECT id FROM charges WHERE id = :id FOR UPDATE")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRefund:
    """A refund to be recorded: of a payment of `paid`, which pays the charge of `charge_id`, if it pays any.

    It was asked for by a change, or decided in the review of a discrepancy. With `ends_at`, what was paid ends then.
    """

    refund: Refund
    merchant_uid: str
    currency: str
    paid: int
    charge_id: int | None = None
    change_id: int | None = None
    discrepancy_id: int | None = None
    ends_at: datetime | None = None


def record(session: Session, new: NewRefund, *, now: datetime, lease: timedelta) -> OpenRefund | None:
    """Record a refund before it is requested; None while another one of the same payment is open.

    The caller sends it once this is committed; should it die, the tick does so after `lease`.
    """
    row = session.execute(_RECORD, {**_values(new), "now": now, "next_try_at": now + lease}).one_or_none()
    return None if row is None else _open(row)


def open_refund_of(session: Session, imp_uid: str) -> OpenRefund | None:
    """Return the refund of a payment that is neither completed nor refused."""
    row = session.execute(_OPEN_OF, {"imp_uid": imp_uid}).one_or_none()
    return None if row is None else _open(row)


def is_started(session: Session, change_id: int) -> bool:
    """Return whether the refund that a change asks for was recorded, whatever became of it."""
    return bool(session.scalar(_OF_CHANGE, {"id": change_id}))


def take_due(session: Session, *, now: datetime, limit: int, lease: timedelta) -> Sequence[OpenRefund]:
    """Take the refunds whose next try is due. Should we die meanwhile, they are due again after `lease`."""
    plan_by_index(session)
    rows = session.execute(_TAKE, {"now": now, "limit": limit, "taken_until": now + lease})
    return sorted((_open(row) for row in rows), key=lambda each: each.id)


def start_send(session: Session, known: OpenRefund, *, now: datetime, lease: timedelta) -> OpenRefund | None:
    """Count a request that is about to leave; None when another process has sent or settled it meanwhile."""
    wanted = {"reference": known.refund.reference, "sends": known.sends, "now": now, "taken_until": now + lease}
    row = session.execute(_START_SEND, wanted).one_or_none()
    return None if row is None else _open(row, earlier_sent_at=row.earlier_sent_at)


def settle(session: Session, known: OpenRefund, settlement: RefundSettlement, *, now: datetime) -> bool:
    """Write what became of a refund, and what PortOne shows as refunded of its charge.

    False when another request of it was sent or it was settled meanwhile: then nothing is written.
    """
    if known.charge_id is not None:
        session.execute(_LOCK_CHARGE, {"id": known.charge_id})
    if session.execute(_SETTLE, _written(known, settlement, now)).one_or_none() is None:
        return False
    if known.charge_id is not None and settlement.refunded is not None:
        found_payments.record_refunds(session, {known.charge_id: settlement.refunded})
    if known.change_id is not None and settlement.status not in OPEN_REFUNDS:
        _end_change(session, known.change_id, settlement, now)
    return True


def _end_change(session: Session, change_id: int, settlement: RefundSettlement, now: datetime) -> None:
    done = settlement.status is RefundStatus.COMPLETED
    said = f": {settlement.answer.message}" if not done and settlement.answer.message else ""
    reason = "refunded: PortOne shows it" if done else f"nothing was refunded: {settlement.reason}{said}"
    status = ChangeStatus.APPLIED if done else ChangeStatus.FAILED
    changes.end(session, [change_id], status, reason=reason, now=now)


def _written(known: OpenRefund, settlement: RefundSettlement, now: datetime) -> dict[str, Any]:
    answer = settlement.answer
    return {
        "reference": known.refund.reference,
        "sends": known.sends,
        "status": settlement.status,
        "reason": settlement.reason,
        "next_try_at": settlement.next_try_at,
        "flagged": settlement.flagged,
        "settled": settlement.status not in OPEN_REFUNDS,
        "is_sent": settlement.is_sent,
        "answered": answer.message is not None or answer.http_status is not None,
        "http_status": answer.http_status,
        "code": answer.code,
        "message": answer.message,
        "cancellation_id": settlement.cancellation_id,
        "now": now,
    }


def _values(new: NewRefund) -> dict[str, Any]:
    refund = new.refund
    return {
        "charge_id": new.charge_id,
        "change_id": new.change_id,
        "ends_at": new.ends_at,
        "discrepancy_id": new.discrepancy_id,
        "merchant_uid": new.merchant_uid,
        "currency": new.currency,
        "paid": new.paid,
        **{name: getattr(refund, name) for name in ("imp_uid", "pg", "checksum", "amount", "tax_free", "vat_amount")},
        **{name: getattr(refund, name) for name in ("reference", "reason")},
    }


def _open(row: Row[Any], *, earlier_sent_at: datetime | None = None) -> OpenRefund:
    refund = Refund(
        imp_uid=row.imp_uid,
        amount=row.amount,
        checksum=row.checksum,
        tax_free=row.tax_free,
        vat_amount=row.vat_amount,
        pg=row.pg,
        reason=row.reason,
        reference=row.reference,
    )
    return OpenRefund(
        id=row.id,
        refund=refund,
        merchant_uid=row.merchant_uid,
        currency=row.currency,
        paid=row.paid,
        status=RefundStatus(row.status),
        sends=row.sends,
        deferrals=row.deferrals,
        sent_at=row.sent_at,
        earlier_sent_at=earlier_sent_at,
        is_retried=row.discrepancy_id is None,
        is_flagged=row.flagged_at is not None,
        charge_id=row.charge_id,
        change_id=row.change_id,
    )
