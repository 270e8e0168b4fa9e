"""Evaluating the invariants, one read-only statement each, and recording those that do not hold as `violations`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from worker.database.bulk import as_rows
from worker.database.tables.operations import Violation
from worker.ledger import blockers
from worker.operations import violation_queries
from worker.operations.invariant_queries import QUERIES
from worker.operations.invariants import INVARIANTS, Invariant, Thresholds

MAX_COUNTED = 1000
"""Rows that are counted at most: a thousand broken ones say as much as a million, and evaluating must stay cheap."""

MAX_EXAMPLES = 5
"""Ids of broken rows that are kept of each invariant."""


@dataclass(frozen=True, slots=True)
class BrokenInvariant:
    """An invariant that does not hold: of how many rows (MAX_COUNTED stands for that many or more), and some ids."""

    invariant: Invariant
    count: int
    examples: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RecordedChanges:
    """What changed since the last check: those newly broken or with another count, and those that hold again."""

    changed: tuple[BrokenInvariant, ...]
    gone: tuple[tuple[str, datetime], ...]


def evaluate(
    session: Session, *, now: datetime, thresholds: Thresholds, invariants: Iterable[Invariant] = INVARIANTS
) -> list[BrokenInvariant]:
    """Evaluate each invariant, and return those that do not hold."""
    parameters = {**blockers.parameters(session, now=now), **_parameters(now, thresholds)}
    found = []
    for invariant in invariants:
        query = text(
            violation_queries.FOUND.format(query=QUERIES[invariant.name], most=MAX_COUNTED, examples=MAX_EXAMPLES)
        )
        row = session.execute(query, parameters).one()
        if row.found:
            found.append(BrokenInvariant(invariant, row.found, tuple(row.examples)))
    return found


def _parameters(now: datetime, thresholds: Thresholds) -> Mapping[str, Any]:
    """Return what the queries compare with: mostly the instants before which something should have been done."""
    since = ("opening", "claiming", "lease", "look_up", "discrepancy", "sweep", "hold", "recent", "derived")
    return {
        "now": now,
        **{name: now - getattr(thresholds, name) for name in since},
        "lookup_backoff": now - thresholds.lookup_backoff,
        "clocks": thresholds.clocks,
        "missed": now - 2 * thresholds.sweep_every,
        "under_way": now - thresholds.sweep_every,
    }


def try_lock(session: Session) -> bool:
    """Take the lock of a check until this transaction ends; False when another process has it."""
    return bool(session.execute(violation_queries.LOCK).scalar_one())


def record(
    session: Session,
    broken: Sequence[BrokenInvariant],
    *,
    judged: Collection[str],
    known: Collection[str],
    now: datetime,
) -> RecordedChanges:
    """Record what does not hold, and delete what was judged and holds again."""
    rows = [
        {"name": each.invariant.name, "count": each.count, "examples": listed_ids(each.examples)} for each in broken
    ]
    before = {
        row.name: row.count_before
        for row in session.execute(violation_queries.RECORD, {"rows": as_rows(rows), "now": now})
    }
    names = [each.invariant.name for each in broken]
    gone = session.execute(violation_queries.FORGET, {"judged": list(judged), "broken": names, "known": list(known)})
    return RecordedChanges(
        changed=tuple(each for each in broken if before[each.invariant.name] != each.count),
        gone=tuple((row.name, row.since) for row in gone),
    )


def recorded(session: Session) -> Sequence[Violation]:
    """Return what did not hold at the last check, the oldest first."""
    return session.scalars(select(Violation).order_by(Violation.since, Violation.name)).all()


def listed_ids(ids: Iterable[int]) -> str:
    return ", ".join(map(str, ids))
