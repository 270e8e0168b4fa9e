"""The rows of changes: added once, and ended once, by UPDATEs that name the status they expect."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.database.bulk import as_rows
from worker.domain.changes import ChangeKind, ChangeStatus, WaitsFor

IS_DUE = "x.status = 'scheduled' AND x.waits_for IS NULL AND x.effective_at <= :now"
"""The condition that the time of a change `x` has come."""

OF_SUBSCRIPTION = f"EXISTS (SELECT FROM changes x WHERE x.subscription_id = s.id AND {IS_DUE} OFFSET 0)"
"""The condition that a change of a subscription `s` is due: its periods are opened once that is applied."""

_COLUMNS = """
    x.id, x.kind, x.subscription_id, s.code, x.charge_id, x.parameters, x.effective_at, x.status, x.status_reason,
    x.status_at, x.waits_for, x.requested_by, x.reason, x.comment, x.idempotency_key, x.digest, x.preview,
    x.fingerprint, x.approved_by, x.approved_at, x.consent_id, x.bulk_id, x.created_at
"""
_FROM = "FROM changes x JOIN subscriptions s ON s.id = x.subscription_id"

_ADD = text("""
    INSERT INTO changes (kind, subscription_id, charge_id, parameters, effective_at, status, status_reason, status_at,
                         waits_for, reason, comment, idempotency_key, digest, preview, fingerprint, bulk_id, created_at,
                         requested_by)
    SELECT kind, subscription_id, charge_id, parameters, effective_at, 'scheduled', reason, :now, waits_for, reason,
           comment, idempotency_key, digest, preview, fingerprint, bulk_id, :now,
           COALESCE(requested_by, current_setting('application_name'))
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(
        kind text, subscription_id bigint, charge_id bigint, parameters jsonb, effective_at timestamptz,
        waits_for text, reason text, comment text, idempotency_key text, digest text, preview jsonb,
        fingerprint text, bulk_id bigint, requested_by text)
    ON CONFLICT (idempotency_key) DO NOTHING
    RETURNING id
""")

_BY_ID = text(f"SELECT {_COLUMNS} {_FROM} WHERE x.id = :id")
_BY_KEY = text(f"SELECT {_COLUMNS} {_FROM} WHERE x.idempotency_key = :key")
_SCHEDULED = text(f"""
    SELECT {_COLUMNS} {_FROM} WHERE x.subscription_id = :id AND x.status = 'scheduled' ORDER BY x.effective_at, x.id
""")
_LAST_APPLIED_AT = text("SELECT max(status_at) FROM changes WHERE subscription_id = :id AND status = 'applied'")
# Nothing that is planned for the instant of a cancellation is done any more.
_NEXT_DUE = text(f"""
    SELECT {_COLUMNS} {_FROM} WHERE x.subscription_id = :id AND {IS_DUE}
    ORDER BY x.effective_at, x.kind <> 'cancel', x.id LIMIT 1
""")

_DUE = text(f"""
    SELECT x.effective_at, x.id, (SELECT code FROM subscriptions WHERE id = x.subscription_id) AS code
    FROM changes x
    WHERE {IS_DUE} AND (x.effective_at, x.id) > (:after_at, :after_id)
    ORDER BY x.effective_at, x.id LIMIT :limit
""")  # noqa: S608 - constants only

_END = text("""
    UPDATE changes SET status = :status, status_reason = :reason, status_at = :now, waits_for = NULL
    WHERE id = ANY(:ids) AND status = 'scheduled'
    RETURNING id
""")

_GO_ON = text("""
    UPDATE changes SET waits_for = :waits_for, approved_by = COALESCE(:approved_by, approved_by),
        approved_at = CASE WHEN CAST(:approved_by AS text) IS NULL THEN approved_at ELSE :now END,
        consent_id = COALESCE(:consent_id, consent_id)
    WHERE id = :id AND status = 'scheduled' AND waits_for = :expected
    RETURNING id
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChange:
    """A change to be added; `waits_for` says what it waits for besides its time.

    `requested_by` is who has asked for it; None: who is connected.
    """

    kind: ChangeKind
    subscription_id: int
    charge_id: int | None
    parameters: Mapping[str, Any]
    effective_at: datetime
    reason: str
    digest: str
    preview: Mapping[str, Any]
    fingerprint: str
    waits_for: WaitsFor | None = None
    comment: str | None = None
    idempotency_key: str | None = None
    bulk_id: int | None = None
    requested_by: str | None = None


@dataclass(frozen=True, slots=True)
class DueChange:
    """Where a change stands in the order of those that are due, and the code of its subscription."""

    effective_at: datetime
    id: int
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change as it stands: what was asked for, by whom and for when, and what became of it."""

    id: int
    kind: ChangeKind
    subscription_id: int
    code: str  # the subscription's
    charge_id: int | None
    parameters: Mapping[str, Any]
    effective_at: datetime
    status: ChangeStatus
    status_reason: str
    status_at: datetime
    waits_for: WaitsFor | None
    requested_by: str
    reason: str
    comment: str | None
    idempotency_key: str | None
    digest: str
    preview: Mapping[str, Any]
    fingerprint: str
    approved_by: str | None
    approved_at: datetime | None
    consent_id: int | None
    bulk_id: int | None
    created_at: datetime


def add(session: Session, new: Sequence[NewChange], *, now: datetime) -> Sequence[int]:
    """Add changes, and return their ids; one whose idempotency key was used before is left out."""
    rows = as_rows({name: getattr(each, name) for name in NewChange.__slots__} for each in new)
    return session.scalars(_ADD, {"rows": rows, "now": now}).all()


def found(session: Session, change_id: int) -> Change | None:
    """Return a change by its id."""
    return _change(session.execute(_BY_ID, {"id": change_id}).one_or_none())


def by_key(session: Session, idempotency_key: str) -> Change | None:
    """Return the change that was asked for under an idempotency key."""
    return _change(session.execute(_BY_KEY, {"key": idempotency_key}).one_or_none())


def scheduled(session: Session, subscription_id: int) -> Sequence[Change]:
    """Return what is still to come of a subscription, the next one first."""
    rows = session.execute(_SCHEDULED, {"id": subscription_id})
    return [change for row in rows if (change := _change(row)) is not None]


def last_applied_at(session: Session, subscription_id: int) -> datetime | None:
    """Return when a subscription was last changed, by the clock of the machine that did it; None if it never was."""
    last: datetime | None = session.execute(_LAST_APPLIED_AT, {"id": subscription_id}).scalar_one()
    return last


def planned(session: Session, subscription_id: int) -> Sequence[Change]:
    """Return the changes by which a subscription goes later, the next one first.

    Those of one charge, and those that wait for a consent or an approval, are none of them.
    """
    return [each for each in scheduled(session, subscription_id) if each.charge_id is None and each.waits_for is None]


def next_due(session: Session, subscription_id: int, *, now: datetime) -> Change | None:
    """Return the earliest change of a locked subscription whose time has come; of an instant, the cancellation."""
    return _change(session.execute(_NEXT_DUE, {"id": subscription_id, "now": now}).one_or_none())


def due(session: Session, *, after: tuple[datetime, int], now: datetime, limit: int) -> Sequence[DueChange]:
    """Return the next changes whose time has come, after a place in their order; nothing is locked."""
    parameters = {"now": now, "limit": limit, "after_at": after[0], "after_id": after[1]}
    return [DueChange(row.effective_at, row.id, row.code) for row in session.execute(_DUE, parameters)]


def end(session: Session, change_ids: Collection[int], status: ChangeStatus, *, reason: str, now: datetime) -> int:
    """End scheduled changes, and return how many; one that has ended already stays as it is."""
    if not change_ids:
        return 0
    values = {"ids": sorted(change_ids), "status": status, "reason": reason, "now": now}
    return len(session.execute(_END, values).all())


def go_on(
    session: Session,
    change_id: int,
    *,
    expected: WaitsFor,
    then: WaitsFor | None,
    now: datetime,
    approved_by: str | None = None,
    consent_id: int | None = None,
) -> bool:
    """Let a change that waited for something wait for nothing, or for something else; False when it did not wait."""
    values = {
        "id": change_id,
        "expected": expected,
        "waits_for": then,
        "approved_by": approved_by,
        "consent_id": consent_id,
        "now": now,
    }
    return session.execute(_GO_ON, values).first() is not None


def _change(row: Row[Any] | None) -> Change | None:
    if row is None:
        return None
    values = dict(row._mapping)  # noqa: SLF001 - public
    waits_for = values["waits_for"]
    return Change(
        **values
        | {
            "kind": ChangeKind(values["kind"]),
            "status": ChangeStatus(values["status"]),
            "waits_for": None if waits_for is None else WaitsFor(waits_for),
        }
    )
