"""SQL of the notices that were sent, and of those that are kept until the quiet hours are over. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from schedules.notices import NoticeKind

_TOLD = """
    SELECT n.kind, s.code AS subscription, n.about, n.due_at, n.sent_at, n.content
    FROM (SELECT * FROM {notices} known ORDER BY id DESC LIMIT :limit) n
    CROSS JOIN LATERAL (SELECT code FROM subscriptions WHERE id = n.subscription_id OFFSET 0) s
    ORDER BY n.id
"""

# By subscription, of whose notices there are some dozens, and not backwards through all.
_OF_ONE = "(SELECT * FROM notices WHERE subscription_id = (SELECT id FROM subscriptions WHERE code = :code) OFFSET 0)"

_NEWEST, _NEWEST_OF_ONE = (text(_TOLD.format(notices=of)) for of in ("notices", _OF_ONE))


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedNotice:
    """A notice that was sent (`sent_at`), is kept until `due_at`, or will be due then, as things are planned."""

    kind: NoticeKind
    subscription: str
    about: datetime
    due_at: datetime
    sent_at: datetime | None
    content: Any | None


def told(session: Session, code: str | None, *, limit: int) -> Sequence[ListedNotice]:
    """Return the newest notices, of one subscription by its code or of all, the newest last."""
    statement = _NEWEST if code is None else _NEWEST_OF_ONE
    rows = session.execute(statement, {"code": code, "limit": limit} if code is not None else {"limit": limit})
    return [ListedNotice(**{**row, "kind": NoticeKind(row["kind"])}) for row in rows.mappings()]
