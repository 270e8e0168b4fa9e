"""The outbox: what triggers have noted of changes of state, taken out in its order and written down as events.

One transaction takes rows out and writes their events, and one at a time does, so that positions grow in the order in
which readers see them: one that has read up to a position has missed nothing before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from schedules.notices import NO_NOTICE
from worker.database.bulk import as_rows
from worker.database.planning import plan_by_index
from worker.domain.consent_gate.release import lacking
from worker.domain.events.facts import Fact, NewEvent
from worker.domain.events.types import EventType
from worker.ledger.charges import ACCESS_UNTIL, PAID_UNTIL

LOCK = 4_104_231_118
"""The transaction that holds this advisory lock writes events."""

_ALONE = text("SELECT pg_try_advisory_xact_lock(:lock)")

# Rows of later transactions about the same subscription have later ids: they saw the earlier ones committed.
_TAKE = text(f"""
    WITH taken AS (
        DELETE FROM outbox WHERE id = ANY(ARRAY(SELECT id FROM outbox ORDER BY id LIMIT :limit)) RETURNING *
    )
    SELECT t.type, t.at, t.key, t.data, t.subscription_id, t.charge_id, c.period_start,
           s.code, p.code AS plan, p.time_zone, p.notices, s.quantity, s.next_charge_at,
           s.status AS subscription_status,
           {PAID_UNTIL} AS paid_until, {ACCESS_UNTIL} AS access_until,
           c.amount, c.tax_free, c.vat_amount, c.currency,
           a.merchant_uid, a.number, a.imp_uid, a.raw ->> 'receipt_url' AS receipt_url, k.pg,
           x.kind AS change_kind, x.effective_at,
           r.status AS refund_status, r.amount AS refund_amount, r.currency AS refund_currency,
           r.merchant_uid AS refund_merchant_uid,
           d.kind AS discrepancy_kind, d.merchant_uid AS discrepancy_merchant_uid
    FROM taken t
    LEFT JOIN subscriptions s ON s.id = t.subscription_id
    LEFT JOIN plans p ON p.id = s.plan_id
    LEFT JOIN charges c ON c.id = t.charge_id
    LEFT JOIN LATERAL (
        SELECT * FROM attempts a
        WHERE a.id = CAST(t.data ->> 'attempt_id' AS bigint)
           OR t.type = 'charge.paid' AND a.charge_id = t.charge_id AND a.status = 'paid' AND c.paid_elsewhere IS NULL
        ORDER BY a.number LIMIT 1
    ) a ON t.charge_id IS NOT NULL
    LEFT JOIN billing_keys k ON k.id = a.billing_key_id
    LEFT JOIN changes x ON x.id = CAST(t.data ->> 'change' AS bigint)
    LEFT JOIN refunds r ON r.id = CAST(t.data ->> 'refund' AS bigint)
    LEFT JOIN discrepancies d ON d.id = CAST(t.data ->> 'discrepancy' AS bigint)
    ORDER BY t.id
""")  # noqa: S608 - constants only

# Positions are microseconds, made to grow: a database restored from a backup, whose last events are lost, gives out
# none that a reader may have read already.
_WRITE = text("""
    WITH last AS (
        SELECT GREATEST(
            COALESCE((SELECT max(position) FROM events), 0),
            CAST(EXTRACT(epoch FROM clock_timestamp()) * 1000000 AS bigint)) AS position
    )
    INSERT INTO events (position, id, type, version, at, subscription_id, data)
    SELECT last.position + v.place, v.id, v.type, v.version, v.at, v.subscription_id, v.data
    FROM last, jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(
        place integer, id text, type text, version smallint, at timestamptz, subscription_id bigint, data jsonb)
    RETURNING position, type, subscription_id
""")

_WAITING = text("SELECT count(*) FROM (SELECT FROM outbox LIMIT :most) o")


@dataclass(frozen=True, slots=True)
class WrittenEvent:
    """Where an event stands in the order of all."""

    position: int
    type: EventType
    subscription_id: int | None


def write_alone(session: Session) -> bool:
    """Return whether this transaction alone writes events; False while another one does."""
    return bool(session.scalar(_ALONE, {"lock": LOCK}))


def take(session: Session, limit: int) -> Sequence[Fact]:
    """Take the oldest facts out of the outbox; the caller writes their events, or rolls back."""
    plan_by_index(session)
    return [
        Fact(
            type=EventType(row.type),
            at=row.at,
            key=row.key,
            subscription_id=row.subscription_id,
            subscription=row.code,
            period_start=row.period_start,
            known=_known(row),
            gone=_gone(row),
            notices=row.notices or NO_NOTICE,
            time_zone=row.time_zone,
        )
        for row in session.execute(_TAKE, {"limit": limit})
    ]


def _gone(row: Row[Any]) -> Sequence[str]:
    """Return which of the rows that a fact names were deleted since."""
    named = {
        "subscription": (row.subscription_id, row.code),
        "charge": (row.charge_id, row.period_start),
        "attempt": (row.data.get("attempt_id"), row.merchant_uid),
        "change": (row.data.get("change"), row.change_kind),
        "refund": (row.data.get("refund"), row.refund_status),
        "discrepancy": (row.data.get("discrepancy"), row.discrepancy_kind),
    }
    return [name for name, (id_, found) in named.items() if id_ is not None and found is None]


def _known(row: Row[Any]) -> Mapping[str, Any]:
    """Return all that is known of what a fact is about, by the names that events give it."""
    kind = row.type.partition(".")[0]
    return {
        **row.data,
        "subscription": None if row.code is None else _subscription(row),
        "charge": None if row.period_start is None else _charge(row),
        "attempt": None if row.merchant_uid is None else _attempt(row),
        "charge_id": row.charge_id,
        **_OF_KIND.get(kind, _nothing)(row),
    }


def _subscription(row: Row[Any]) -> Mapping[str, Any]:
    return {
        "code": row.code,
        "plan": row.plan,
        "quantity": row.quantity,
        "status": row.subscription_status,
        "paid_until": row.paid_until,
        "access_until": row.access_until,
        "next_charge_at": row.next_charge_at,
    }


def _charge(row: Row[Any]) -> Mapping[str, Any]:
    moving = {name: row.data.get(name) for name in ("status", "period_end", "next_attempt_at", "refunded")}
    return {
        "id": row.charge_id,
        "period_start": row.period_start,
        "amount": row.amount,
        "tax_free": row.tax_free,
        "vat_amount": row.vat_amount,
        "currency": row.currency,
        **moving,
    }


def _attempt(row: Row[Any]) -> Mapping[str, Any]:
    return {
        "merchant_uid": row.merchant_uid,
        "number": row.number,
        "pg": row.pg,
        "imp_uid": row.imp_uid,
        "receipt_url": row.receipt_url,
    }


def _of_change(row: Row[Any]) -> Mapping[str, Any]:
    return {"kind": row.change_kind, "status": row.type.partition(".")[2], "effective_at": row.effective_at}


def _of_refund(row: Row[Any]) -> Mapping[str, Any]:
    return {
        "status": row.refund_status,
        "amount": row.refund_amount,
        "currency": row.refund_currency,
        "merchant_uid": row.refund_merchant_uid,
    }


def _of_discrepancy(row: Row[Any]) -> Mapping[str, Any]:
    return {"kind": row.discrepancy_kind, "merchant_uid": row.discrepancy_merchant_uid}


def _nothing(_: Row[Any]) -> Mapping[str, Any]:
    return {}


def _of_charge(row: Row[Any]) -> Mapping[str, Any]:
    """Return what a charge lacked as the gate began to hold it, each by its rule."""
    codes = row.data.get("lacks")
    if codes is None or row.period_start is None:
        return {}
    return {"lacks": [asdict(each) for each in lacking(codes, row.period_start, ZoneInfo(row.time_zone))]}


_OF_KIND = {
    "charge": _of_charge,
    "change": _of_change,
    "refund": _of_refund,
    "discrepancy": _of_discrepancy,
}


def write(session: Session, events: Iterable[NewEvent]) -> Sequence[WrittenEvent]:
    """Write events down behind all others, in their order, and return where they stand."""
    rows = [
        {
            "place": place,
            "id": event.id,
            "type": event.type.value,
            "version": event.version,
            "at": event.at.isoformat(),
            "subscription_id": event.subscription_id,
            "data": event.data,
        }
        for place, event in enumerate(events, 1)
    ]
    if not rows:
        return []
    written = session.execute(_WRITE, {"rows": as_rows(rows)})
    return [WrittenEvent(row.position, EventType(row.type), row.subscription_id) for row in written]


def waiting(session: Session, most: int) -> int:
    """Count the rows of the outbox, up to `most`."""
    return int(session.scalar(_WAITING, {"most": most}) or 0)
