"""Lists of changes, as they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.changes.price_as_it_stands import as_it_stands
from worker.domain.changes import ChangeKind, ChangeStatus
from worker.ledger import changes

_COLUMNS = """
    x.id, x.kind, s.code AS subscription, x.charge_id AS charge, x.parameters, x.effective_at, x.status, x.waits_for,
    x.status_reason, x.status_at, x.requested_by, x.reason, x.comment, x.idempotency_key, x.approved_by, x.approved_at,
    x.preview, x.created_at, p.time_zone
"""
_FROM = "FROM changes x JOIN subscriptions s ON s.id = x.subscription_id JOIN plans p ON p.id = s.plan_id"

# Those to come in the order in which they come; otherwise the newest first.
_CONDITIONS = {
    "subscription": "x.subscription_id = (SELECT id FROM subscriptions WHERE code = :subscription)",
    "kind": "x.kind = :kind",
    "status": "x.status = :status",
}


def listed(
    session: Session,
    *,
    subscription: str | None = None,
    kind: ChangeKind | None = None,
    status: ChangeStatus | None = None,
    limit: int,
) -> Sequence[Mapping[str, Any]]:
    """List changes: scheduled ones in the order in which they take effect, others the newest first."""
    wanted = {"subscription": subscription, "kind": kind, "status": status}
    conditions = [_CONDITIONS[name] for name, value in wanted.items() if value is not None]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    order = "x.effective_at, x.id" if status is ChangeStatus.SCHEDULED else "x.id DESC"
    query = text(f"SELECT {_COLUMNS} {_FROM} {where} ORDER BY {order} LIMIT :limit")
    return [dict(row._mapping) for row in session.execute(query, {**wanted, "limit": limit})]  # noqa: SLF001 - public


def shown(session: Session, change_id: int) -> Mapping[str, Any] | None:
    """Return one change, as it is shown: what it comes to by now, where it is still to come."""
    row = session.execute(text(f"SELECT {_COLUMNS} {_FROM} WHERE x.id = :id"), {"id": change_id}).one_or_none()
    change = changes.found(session, change_id)
    if row is None or change is None:
        return None
    return {**row._mapping, "preview": as_it_stands(session, change).preview}  # noqa: SLF001 - public
