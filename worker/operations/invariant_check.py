"""Periodic invariant check: judges what has changed, records and logs violations, repairs nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from worker.database import heartbeats
from worker.database.engine import Sessions
from worker.domain.clock import elapsed_seconds
from worker.ledger import stops
from worker.operations import changed_rows, invariant_results
from worker.operations.changed_rows import Changes
from worker.operations.invariant_judge import BrokenInvariant, Judge
from worker.operations.invariant_results import RecordedChanges
from worker.operations.invariants import INVARIANTS, Invariant, Thresholds

COMPLETED = "invariants"
"""The name of the heartbeat of the last check that came to its end."""

RESUMED_AFTER = timedelta(minutes=15)
"""After this long without a check the workers have just come back, and work left undone is not reported yet."""

BUDGET = timedelta(seconds=60)
"""A check that takes longer ends with the look that is under way; the next one goes on from there."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class InvariantCheck:
    """What one check found; flower shows it as the task's result."""

    judged: int
    broken: dict[str, int]  # rows by invariant
    gone: list[str]

    def summary(self) -> dict[str, object]:
        return asdict(self)


def check_invariants(
    sessions: Sessions, *, now: datetime, thresholds: Thresholds, budget: timedelta = BUDGET
) -> InvariantCheck:
    """Judge what has changed since the last check; log, and record for `again status`, what does not hold.

    Repairs nothing. What did not hold before is judged again, changed or not.
    """
    until = elapsed_seconds() + budget.total_seconds()
    with sessions() as session:
        judged = _judgeable(session, now)
    gone: list[str] = []
    while True:
        look = _look(sessions, judged, now=now, thresholds=thresholds)
        if look is None:
            return InvariantCheck(0, {}, gone)  # another worker is checking right now
        gone += [name for name, _ in look.changes.gone]
        if look.complete or elapsed_seconds() >= until:
            break
    if not look.complete:
        log.warning("the check of the invariants has not come to an end; the next one goes on")
    counts = {each.invariant.name: each.count for each in look.broken}
    return InvariantCheck(len(judged), counts, gone)


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look found, and what became of the recorded violations; `complete` when nothing is left to be read."""

    broken: list[BrokenInvariant]
    changes: RecordedChanges
    complete: bool


def _look(sessions: Sessions, judged: Collection[Invariant], *, now: datetime, thresholds: Thresholds) -> Looked | None:
    """Judge, in one transaction, what has changed, as much as one look reads; None when another process does."""
    with sessions.begin() as session:
        if not invariant_results.try_lock(session):
            return None
        looked = look_and_record(session, judged, now=now, thresholds=thresholds)
        _beat(session, now)
    _log(looked.changes)
    return looked


def look_and_record(
    session: Session, judged: Collection[Invariant], *, now: datetime, thresholds: Thresholds
) -> Looked:
    """Judge what has changed since the last look, record what does not hold, and let the next look go on from here."""
    look = changed_rows.look(session, limit=changed_rows.CHANGES_AT_ONCE)
    broken = judge_changes(session, look.changes, now=now, thresholds=thresholds, invariants=judged)
    changes = invariant_results.record(
        session,
        broken,
        judged=[invariant.name for invariant in judged],
        known=[invariant.name for invariant in INVARIANTS],
        now=now,
    )
    changed_rows.advance(session, look.next)
    return Looked(broken, changes, look.complete)


def judge_changes(
    session: Session,
    changes: Changes,
    *,
    now: datetime,
    thresholds: Thresholds,
    invariants: Iterable[Invariant] = INVARIANTS,
) -> list[BrokenInvariant]:
    """Judge what changes are about, what is open, and what did not hold before; return what does not hold."""
    invariant_results.add_known(session, changes)
    judge = Judge(session, now=now, thresholds=thresholds, invariants=invariants)
    judge.judge_open()
    judge.judge(changed_rows.touched(session, changes))
    return judge.broken()


def _judgeable(session: Session, now: datetime) -> tuple[Invariant, ...]:
    """Leave out those about progress when there was no check lately, so there may have been no worker either."""
    last = heartbeats.last_seen(session).get(COMPLETED)
    if last is not None and now - last <= RESUMED_AFTER:
        return INVARIANTS
    return tuple(invariant for invariant in INVARIANTS if not invariant.progress)


def _beat(session: Session, now: datetime) -> None:
    """Record that a check has ended, and what was stopped then: a release leaves no other trace."""
    heartbeats.beat(session, COMPLETED, now=now)
    stops.record_active(session, now=now)


def _log(changes: RecordedChanges) -> None:
    for each in changes.changed:
        log.error("invariant violated", **_named(each), means=each.invariant.means, remedy=each.invariant.remedy)
    for name, since in changes.gone:
        log.info("violation no longer found", invariant=name, since=since.isoformat())


def _named(broken: BrokenInvariant) -> dict[str, object]:
    return {
        "invariant": broken.invariant.name,
        "count": broken.count,
        "about": broken.invariant.about,
        "examples": list(broken.examples),
    }
