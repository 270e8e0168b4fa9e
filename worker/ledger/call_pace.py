"""The pace of the calls through each PG, which all workers share: it is counted in the database, with each claim.

Every claim needs the database, so there is no other store to lose: without it nothing is claimed, and with it no worker
calls more often than the rules say, however many there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.bulk import as_rows
from worker.database.planning import plan_by_index
from worker.domain.attempt import Attempt
from worker.domain.channel_rules import ChannelRules, Turn, free_after, turn
from worker.ledger.queues import Wanted

_LIMITED = text("""
    SELECT pg FROM channel_rules WHERE pg = ANY(:pgs) AND (calls_per_second IS NOT NULL OR in_flight IS NOT NULL)
""")

# A worker that freezes in its claim must not keep the others waiting: they look again.
_LOCKED = text("""
    SELECT pg, calls_per_second, in_flight, free_at FROM channel_rules
    WHERE pg = ANY(:pgs) ORDER BY pg FOR UPDATE SKIP LOCKED
""")

_IN_FLIGHT = text("""
    SELECT k.pg, count(*) AS calls FROM attempts a
    CROSS JOIN LATERAL (SELECT pg FROM billing_keys WHERE id = a.billing_key_id OFFSET 0) k
    WHERE a.status = 'started' AND a.via = 'again' GROUP BY k.pg
""")

_RATES = text("SELECT pg, calls_per_second, free_at FROM channel_rules WHERE pg = ANY(:pgs) AND calls_per_second > 0")

_COUNT = text("""
    UPDATE channel_rules r SET free_at = v.free_at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(pg text, free_at timestamptz) WHERE r.pg = v.pg
""")

COUNTED_ELSEWHERE = Turn(calls=0, wait=0.02)
"""For a PG whose calls another worker is just counting."""


@dataclass(frozen=True, slots=True)
class Paced:
    """What may be claimed of each queue now, and for how many seconds a queue that got less is left alone."""

    wanted: Mapping[str, Wanted]
    waits: Mapping[str, float]


def paced(session: Session, queues: Mapping[str, Wanted], *, now: datetime) -> Paced:
    """Return what of the wanted charges the rules of their PGs let be claimed in this transaction.

    The pace stays locked until it ends: `count_calls` moves it on by what was claimed.
    """
    limited = sorted(session.scalars(_LIMITED, {"pgs": list(queues)}))
    if not limited:
        return Paced(queues, {})
    left, waits = dict(queues), {}
    turns = _turns(session, {pg: queues[pg].limit for pg in limited}, now)
    for pg in limited:
        given = turns.get(pg, COUNTED_ELSEWHERE)
        if given.calls < queues[pg].limit:
            left[pg] = replace(queues[pg], limit=given.calls)
            waits[pg] = given.wait
    return Paced({pg: each for pg, each in left.items() if each.limit}, waits)


def count_calls(session: Session, attempts: Iterable[Attempt], *, now: datetime) -> None:
    """Move the pace of each PG on by the calls of what was claimed, in the transaction that `paced` was asked in."""
    calls = Counter(attempt.request.pg for attempt in attempts)
    rows = [
        {"pg": row.pg, "free_at": free_after(calls[row.pg], row.calls_per_second, free_at=row.free_at, now=now)}
        for row in session.execute(_RATES, {"pgs": list(calls)})
    ]
    if rows:
        session.execute(_COUNT, {"rows": as_rows(rows)})


def _turns(session: Session, wanted: Mapping[str, int], now: datetime) -> dict[str, Turn]:
    """Return the turn of each PG whose pace this transaction could lock."""
    plan_by_index(session)
    rows = session.execute(_LOCKED, {"pgs": list(wanted)}).all()
    in_flight: Counter[str] = Counter()
    if any(row.in_flight is not None for row in rows):
        in_flight.update({row.pg: row.calls for row in session.execute(_IN_FLIGHT)})
    return {
        row.pg: turn(
            ChannelRules(row.calls_per_second, row.in_flight),
            wanted[row.pg],
            free_at=row.free_at,
            in_flight=in_flight[row.pg],
            now=now,
        )
        for row in rows
    }
