"""For how long what could go on has waited: the heads of queues alone are read, however long those are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.planning import plan_by_index
from worker.domain.stop_scopes import PLAN
from worker.ledger.blockers import BLOCKER_TABLES, CLAIMABLE, parameters

MOST_COUNTED = 10_000
"""Charges that are counted at most, of each PG: that many stand for more."""

HEAD = 20
"""Rows at the head of a queue that are judged: one that has just come may be due since long."""

# Of what is stopped or held nothing can be claimed, and none of it is read. A charge that was opened late, and a
# subscription that was made late, have waited since then.
_DUE = text(f"""
    WITH RECURSIVE queues AS (
        (SELECT queue FROM charges WHERE status IN ('due', 'past_due') AND queue > '' ORDER BY queue LIMIT 1)
        UNION ALL
        SELECT (SELECT c.queue FROM charges c
                WHERE c.status IN ('due', 'past_due') AND c.queue > queues.queue ORDER BY c.queue LIMIT 1)
        FROM queues WHERE queues.queue IS NOT NULL
    )
    SELECT queues.queue AS pg, counted.found, head.waits_since
    FROM queues
    CROSS JOIN LATERAL (
        SELECT count(*) AS found FROM (
            SELECT FROM charges c
            WHERE c.queue = queues.queue AND c.next_attempt_at <= :now AND c.status IN ('due', 'past_due')
            ORDER BY c.next_attempt_at, c.id LIMIT :most
        ) come
    ) counted
    LEFT JOIN LATERAL (
        SELECT min(waits_since) AS waits_since FROM (
            SELECT GREATEST(c.next_attempt_at, c.status_at) AS waits_since
            FROM charges c {BLOCKER_TABLES}
            WHERE c.queue = queues.queue AND queues.queue <> ALL(:stopped) AND {CLAIMABLE}
            ORDER BY c.next_attempt_at, c.id LIMIT :head
        ) claimed_next
    ) head ON true
    WHERE NOT starts_with(queues.queue, '{PLAN}')
""")  # noqa: S608 - constants only

_TO_OPEN = text("""
    SELECT min(GREATEST(next_charge_at, status_at)) FROM (
        SELECT next_charge_at, status_at FROM subscriptions
        WHERE next_charge_at <= :now ORDER BY next_charge_at LIMIT :head
    ) opened_next
""")


_UNDECIDED = text("""
    SELECT (SELECT min(started_at) FROM attempts WHERE status = 'unknown' AND flagged_at IS NULL) AS unknown_since,
           (SELECT min(started_at) FROM refunds WHERE status IN ('requested', 'unclear') AND flagged_at IS NULL)
               AS refunding_since
""")


@dataclass(frozen=True, slots=True)
class QueueHead:
    """How many charges of one PG have come due, and since when the first waits that nothing blocks."""

    pg: str
    due: int
    waits_since: datetime | None

    def waited(self, now: datetime) -> timedelta:
        """Return for how long it has waited; nothing where none does."""
        return timedelta(0) if self.waits_since is None else max(now - self.waits_since, timedelta(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Since when the first of each kind waits; None where nothing does."""

    opening_since: datetime | None
    queues: Sequence[QueueHead]
    unknown_since: datetime | None
    refunding_since: datetime | None


def waits(session: Session, *, now: datetime) -> Waits:
    """Return since when what should have been done by now waits."""
    undecided = session.execute(_UNDECIDED).one()
    return Waits(
        opening_since=opening_waits_since(session, now=now),
        queues=queue_heads(session, now=now),
        unknown_since=undecided.unknown_since,
        refunding_since=undecided.refunding_since,
    )


def queue_heads(session: Session, *, now: datetime) -> Sequence[QueueHead]:
    """Return what has come due, by PG; counts at most MOST_COUNTED of each."""
    plan_by_index(session)
    asked = {**parameters(session, now=now), "most": MOST_COUNTED, "head": HEAD}
    return [QueueHead(row.pg, row.found, row.waits_since) for row in session.execute(_DUE, asked)]


def opening_waits_since(session: Session, *, now: datetime) -> datetime | None:
    """Return since when the first period waits that has started and has no charge yet; None where none does."""
    waits_since: datetime | None = session.scalar(_TO_OPEN, {"now": now, "head": HEAD})
    return waits_since
