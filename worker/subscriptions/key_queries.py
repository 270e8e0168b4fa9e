"""Billing keys: added, found and listed. A customer_uid goes in; only its masked form comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from worker.database.tables.billing import BillingKey
from worker.domain.identifiers import masked, read_id
from worker.domain.states import BillingKeyStatus

CHUNK = 1000


def add(
    session: Session, *, customer_uid: str, pg: str, channel_key: str | None, label: str, reason: str, now: datetime
) -> int | None:
    """Add an active key and return its id; None when its customer_uid is known already."""
    row = insert(BillingKey).values(
        customer_uid=customer_uid,
        pg=pg,
        channel_key=channel_key,
        label=label,
        status=BillingKeyStatus.ACTIVE,
        status_reason=reason,
        status_at=now,
        created_at=now,
    )
    return session.scalar(row.on_conflict_do_nothing().returning(BillingKey.id))


def ids_of(session: Session, customer_uids: Sequence[str]) -> dict[str, int]:
    """Return the ids of the keys among these customer_uids that are known here."""
    found: dict[str, int] = {}
    for start in range(0, len(customer_uids), CHUNK):
        wanted = BillingKey.customer_uid.in_(customer_uids[start : start + CHUNK])
        rows = session.execute(select(BillingKey.customer_uid, BillingKey.id).where(wanted))
        found |= {row.customer_uid: row.id for row in rows}
    return found


def matching(session: Session, text: str) -> Sequence[BillingKey]:
    """Find the key with this id, as 17 or #17, and the key with this customer_uid, which may be two."""
    # One after the other: said with an OR, no index is sure to be used.
    found = list(session.scalars(select(BillingKey).where(BillingKey.customer_uid == text)))
    if (key_id := read_id(text)) is not None:
        found += session.scalars(select(BillingKey).where(BillingKey.id == key_id, BillingKey.customer_uid != text))
    return sorted(found, key=lambda key: key.id)


def listed(session: Session, *, status: BillingKeyStatus | None, limit: int) -> Sequence[Mapping[str, Any]]:
    """List the newest keys, as they may be shown."""
    query = select(BillingKey).limit(limit)
    if status not in (None, BillingKeyStatus.ACTIVE):
        # Said as an equality, the planner would walk back through all keys and hope to meet some soon.
        query = query.where(BillingKey.status != BillingKeyStatus.ACTIVE, BillingKey.status.between(status, status))
        query = query.order_by(BillingKey.status.desc())
    elif status is not None:
        query = query.where(BillingKey.status == status)
    query = query.order_by(BillingKey.id.desc())
    return [shown(key) for key in session.scalars(query)]


def shown(key: BillingKey) -> Mapping[str, Any]:
    """Return what of a key may be shown."""
    return {
        "id": key.id,
        "customer_uid": masked(key.customer_uid),
        "label": key.label,
        "pg": key.pg,
        "channel_key": key.channel_key,
        "status": key.status.value,
        "status_reason": key.status_reason,
        "status_at": key.status_at,
        "created_at": key.created_at,
    }
