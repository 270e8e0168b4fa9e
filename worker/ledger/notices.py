"""What customers are told, each notice once: sent at once, or kept until it may be. A trigger notes its event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from schedules.notices import NoticeKind
from worker.database.bulk import as_rows
from worker.database.planning import plan_by_index
from worker.ledger.due_subscriptions import Place

# A second worker, or the same one after a crash, adds nothing; nor does one that has not seen a cancellation.
_ADD = text("""
    INSERT INTO notices (subscription_id, kind, about, source, correction, due_at, sent_at, content)
    SELECT subscription_id, kind, about, source, correction, due_at,
           CASE WHEN content IS NOT NULL THEN :now END, content
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(
        subscription_id bigint, kind text, about timestamptz, source text, correction smallint, due_at timestamptz,
        content jsonb)
    WHERE v.kind NOT IN ('renewal', 'trial') OR EXISTS (
        SELECT FROM subscriptions s WHERE s.id = v.subscription_id AND s.next_charge_at = v.about OFFSET 0)
    ON CONFLICT (subscription_id, kind, about, source, correction) DO NOTHING
    RETURNING id
""")

_WAITING = text("""
    SELECT id, subscription_id, kind, about, source, due_at FROM notices
    WHERE sent_at IS NULL AND due_at <= :now
    ORDER BY due_at, id LIMIT :limit FOR UPDATE SKIP LOCKED
""")

_SEND = text("""
    UPDATE notices n SET sent_at = :now, content = v.content
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id bigint, content jsonb)
    WHERE n.id = v.id AND n.sent_at IS NULL
""")

_DROP = text("DELETE FROM notices WHERE id = ANY(CAST(:ids AS bigint[])) AND sent_at IS NULL")

_WALKED_TO = text("SELECT at, id FROM notice_walks WHERE name = :name")

_WALK_ON = text("""
    INSERT INTO notice_walks AS w (name, at, id) VALUES (:name, :at, :id)
    ON CONFLICT (name) DO UPDATE SET at = excluded.at, id = excluded.id
    WHERE (w.at, w.id) IS DISTINCT FROM (excluded.at, excluded.id)
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNotice:
    """A notice to be added: sent with its content, or kept without one until `due_at`.

    `about` is when the period begins, the trial is over or the price rises, or when it happened; `source` is the id of
    the event that it follows, if it follows one. `correction` is how often its customer was told of it before.
    """

    subscription_id: int
    kind: NoticeKind
    about: datetime
    source: str = ""
    correction: int = 0
    due_at: datetime
    content: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingNotice:
    """A notice that was kept and is due now, locked."""

    id: int
    subscription_id: int
    kind: NoticeKind
    about: datetime
    source: str
    due_at: datetime


def add(session: Session, notices: Iterable[NewNotice], *, now: datetime) -> int:
    """Add notices that were not added before, and return how many that were."""
    rows = [
        {
            "subscription_id": each.subscription_id,
            "kind": each.kind,
            "about": each.about,
            "source": each.source,
            "correction": each.correction,
            "due_at": each.due_at,
            "content": each.content,
        }
        for each in notices
    ]
    return len(session.execute(_ADD, {"rows": as_rows(rows), "now": now}).all()) if rows else 0


def due(session: Session, *, now: datetime, limit: int) -> Sequence[WaitingNotice]:
    """Lock notices that were kept and may be sent now, the oldest first; others skip them."""
    plan_by_index(session)
    rows = session.execute(_WAITING, {"now": now, "limit": limit}).mappings()
    return [WaitingNotice(**{**row, "kind": NoticeKind(row["kind"])}) for row in rows]


def send(session: Session, contents: Mapping[int, Mapping[str, Any]], *, now: datetime) -> None:
    """Send notices that were kept, by their ids, with their contents."""
    if contents:
        rows = [{"id": notice_id, "content": content} for notice_id, content in contents.items()]
        session.execute(_SEND, {"rows": as_rows(rows), "now": now})


def drop(session: Session, notice_ids: Iterable[int]) -> None:
    """Delete notices that were kept and have nothing to say any more."""
    session.execute(_DROP, {"ids": list(notice_ids)})


def walked_to(session: Session, name: str) -> Place | None:
    """Return where a walk stands in its order; None for one that never began."""
    row = session.execute(_WALKED_TO, {"name": name}).one_or_none()
    return None if row is None else (row.at, row.id)


def walk_on(session: Session, name: str, place: Place) -> None:
    """Write down where a walk stands."""
    session.execute(_WALK_ON, {"name": name, "at": place[0], "id": place[1]})
