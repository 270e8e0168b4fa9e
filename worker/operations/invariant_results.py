"""What does not hold: found by a look at everything, and recorded as `violations` until it holds again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from worker.database.bulk import as_rows
from worker.database.tables.operations import Violation
from worker.operations import all_rows, violation_queries
from worker.operations.changed_rows import Changes
from worker.operations.invariant_judge import MAX_COUNTED, BrokenInvariant, Judge
from worker.operations.invariants import INVARIANTS, Invariant, Thresholds

ABOUT = {invariant.name: invariant.about for invariant in INVARIANTS}
"""What the ids of a violation identify, by the name of the invariant."""


@dataclass(frozen=True, slots=True)
class RecordedChanges:
    """What changed since the last check: those newly broken or with another count, and those that hold again."""

    changed: tuple[BrokenInvariant, ...]
    gone: tuple[tuple[str, datetime], ...]


def evaluate(
    session: Session, *, now: datetime, thresholds: Thresholds, invariants: Iterable[Invariant] = INVARIANTS
) -> list[BrokenInvariant]:
    """Evaluate each invariant for every row there is, in one transaction; return those that do not hold."""
    judge = Judge(session, now=now, thresholds=thresholds, invariants=invariants)
    judge.judge_open()
    for touched in all_rows.walk(session):
        judge.judge(touched)
    return judge.broken()


def add_known(session: Session, changes: Changes) -> None:
    """Add the rows that did not hold at the last check: they are judged until they do."""
    for row in session.execute(violation_queries.KNOWN):
        changes.add(ABOUT.get(row.name, ""), row.ids)


def try_lock(session: Session) -> bool:
    """Take the lock of a check until this transaction ends; False when another process has it."""
    return bool(session.execute(violation_queries.TRY_LOCK).scalar_one())


def lock(session: Session) -> None:
    """Take the lock of a check until this transaction ends, once the process that has it has ended its own."""
    session.execute(violation_queries.LOCK)


def record(
    session: Session,
    broken: Sequence[BrokenInvariant],
    *,
    judged: Collection[str],
    known: Collection[str],
    now: datetime,
) -> RecordedChanges:
    """Record what does not hold, and delete what was judged and holds again."""
    before = _record(session, broken, now=now)
    names = [each.invariant.name for each in broken]
    gone = session.execute(violation_queries.FORGET, {"judged": list(judged), "broken": names, "known": list(known)})
    return RecordedChanges(
        changed=tuple(each for each in broken if before[each.invariant.name] != each.count),
        gone=tuple((row.name, row.since) for row in gone),
    )


def record_more(session: Session, broken: Sequence[BrokenInvariant], *, now: datetime) -> None:
    """Record what was found beside what is recorded: the next checks judge it, too."""
    before = {row.name: row.ids for row in session.execute(violation_queries.KNOWN)}
    _record(session, [_with(each, before.get(each.invariant.name, ())) for each in broken], now=now)


def _with(broken: BrokenInvariant, ids: Iterable[int]) -> BrokenInvariant:
    every = sorted({*broken.ids, *ids})[:MAX_COUNTED]
    return BrokenInvariant(broken.invariant, max(broken.count, len(every)), tuple(every))


def _record(session: Session, broken: Sequence[BrokenInvariant], *, now: datetime) -> dict[str, int | None]:
    """Return how many rows of each were recorded before."""
    rows = [
        {"name": each.invariant.name, "count": each.count, "examples": listed_ids(each.examples), "ids": each.ids}
        for each in broken
    ]
    recorded_rows = session.execute(violation_queries.RECORD, {"rows": as_rows(rows), "now": now})
    return {row.name: row.count_before for row in recorded_rows}


def recorded(session: Session) -> Sequence[Violation]:
    """Return what did not hold at the last check, the oldest first."""
    return session.scalars(select(Violation).order_by(Violation.since, Violation.name)).all()


def listed_ids(ids: Iterable[int]) -> str:
    return ", ".join(map(str, ids))
