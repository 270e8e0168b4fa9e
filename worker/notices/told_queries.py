"""SQL of the notices that were sent, and of those that are kept until the quiet hours are over. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from schedules.notices import NoticeKind
from worker.domain.notices.corrections import Told

_TOLD = """
    SELECT n.kind, s.code AS subscription, n.about, n.due_at, n.sent_at, n.content
    FROM (SELECT * FROM {notices} known ORDER BY id DESC LIMIT :limit) n
    CROSS JOIN LATERAL (SELECT code FROM subscriptions WHERE id = n.subscription_id OFFSET 0) s
    ORDER BY n.id
"""

# By subscription, of whose notices there are some dozens, and not backwards through all.
_OF_ONE = "(SELECT * FROM notices WHERE subscription_id = (SELECT id FROM subscriptions WHERE code = :code) OFFSET 0)"

_NEWEST, _NEWEST_OF_ONE = (text(_TOLD.format(notices=of)) for of in ("notices", _OF_ONE))


# Of one subscription there are some dozens. Older ones have no day of their own in the content.
_LAST = text("""
    SELECT CAST(content ->> 'amount' AS bigint) AS amount,
           COALESCE(CAST(content ->> 'on' AS timestamptz), about) AS "on"
    FROM (SELECT * FROM notices WHERE subscription_id = :id OFFSET 0) n
    WHERE n.kind = ANY(CAST(:kinds AS text[])) AND n.sent_at IS NOT NULL
    ORDER BY n.id DESC LIMIT 1
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedNotice:
    """A notice that was sent (`sent_at`), is kept until `due_at`, or will be due then, as things are planned."""

    kind: NoticeKind
    subscription: str
    about: datetime
    due_at: datetime
    sent_at: datetime | None
    content: Any | None


def last_told(session: Session, subscription_id: int, kinds: Collection[NoticeKind]) -> Told | None:
    """Return what the customer of a subscription was told last of something that comes, by a notice of these kinds."""
    row = session.execute(_LAST, {"id": subscription_id, "kinds": sorted(kinds)}).one_or_none()
    return None if row is None else Told(row.amount, row.on)


def told(session: Session, code: str | None, *, limit: int) -> Sequence[ListedNotice]:
    """Return the newest notices, of one subscription by its code or of all, the newest last."""
    statement = _NEWEST if code is None else _NEWEST_OF_ONE
    rows = session.execute(statement, {"code": code, "limit": limit} if code is not None else {"limit": limit})
    return [ListedNotice(**{**row, "kind": NoticeKind(row["kind"])}) for row in rows.mappings()]
