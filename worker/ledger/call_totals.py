"""Running totals of calls to PortOne: counted in the transaction that writes back what came of them, and so once."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.bulk import as_rows
from worker.domain.settlement import Settlement

BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 40.0, 70.0)
"""Upper bounds of the buckets that calls are counted in, in seconds; the last one has what takes longer."""

PARTS = 8
"""Rows that one total is kept in: as many processes write back at once, and rarely wait for each other."""

# The rows stay locked until the commit, which comes next.
_ADD = text("""
    INSERT INTO call_totals AS t (pg, outcome, bucket, part, calls, seconds)
    SELECT v.pg, v.outcome, v.bucket, pg_backend_pid() % :parts, v.calls, v.seconds
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(
        pg text, outcome text, bucket smallint, calls bigint, seconds double precision)
    ORDER BY v.pg, v.outcome, v.bucket
    ON CONFLICT (pg, outcome, bucket, part) DO UPDATE
    SET calls = t.calls + excluded.calls, seconds = t.seconds + excluded.seconds
""")

_ALL = text("""
    SELECT pg, outcome, bucket, CAST(sum(calls) AS bigint) AS calls, sum(seconds) AS seconds
    FROM call_totals GROUP BY pg, outcome, bucket ORDER BY pg, outcome, bucket
""")


@dataclass(frozen=True, slots=True)
class CallTotal:
    """How many calls through a PG ended in an outcome, by bucket, and how long all of them took."""

    pg: str
    outcome: str
    calls: Sequence[int]
    seconds: float


def add(session: Session, answered: Iterable[Settlement], seconds: Mapping[str, float]) -> None:
    """Count calls whose outcome this transaction writes back; `seconds` by merchant_uid. The last thing it does."""
    calls: Counter[tuple[str, str, int]] = Counter()
    took: defaultdict[tuple[str, str, int], float] = defaultdict(float)
    for each in answered:
        request = each.attempt.request
        if (length := seconds.get(request.merchant_uid)) is None:
            continue
        key = request.pg, each.attempt_status.value, bisect_left(BOUNDS, length)
        calls[key] += 1
        took[key] += length
    rows = [
        {"pg": pg, "outcome": outcome, "bucket": bucket, "calls": count, "seconds": took[pg, outcome, bucket]}
        for (pg, outcome, bucket), count in sorted(calls.items())
    ]
    if rows:
        session.execute(_ADD, {"rows": as_rows(rows), "parts": PARTS})


def totals(session: Session) -> Sequence[CallTotal]:
    """Return every total, the parts of each put together."""
    buckets: dict[tuple[str, str], list[int]] = {}
    seconds: dict[tuple[str, str], float] = {}
    for row in session.execute(_ALL):
        key = row.pg, row.outcome
        buckets.setdefault(key, [0] * (len(BOUNDS) + 1))[row.bucket] = row.calls
        seconds[key] = seconds.get(key, 0.0) + row.seconds
    return [CallTotal(pg, outcome, calls, seconds[pg, outcome]) for (pg, outcome), calls in buckets.items()]
