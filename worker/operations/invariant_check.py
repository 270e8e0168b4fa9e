"""Periodic invariant check: evaluates every invariant, records and logs violations, repairs nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from worker.database import heartbeats
from worker.database.engine import Sessions
from worker.ledger import stops
from worker.operations import invariant_results
from worker.operations.invariant_results import BrokenInvariant, RecordedChanges
from worker.operations.invariants import INVARIANTS, Invariant, Thresholds

COMPLETED = "invariants"
"""The name of the heartbeat of the last check that came to its end."""

RESUMED_AFTER = timedelta(minutes=15)
"""After this long without a check the workers have just come back, and work left undone is not reported yet."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class InvariantCheck:
    """What one check found; flower shows it as the task's result."""

    judged: int
    broken: dict[str, int]  # rows by invariant
    gone: list[str]

    def summary(self) -> dict[str, object]:
        return asdict(self)


def check_invariants(sessions: Sessions, *, now: datetime, thresholds: Thresholds) -> InvariantCheck:
    """Evaluate every invariant; log, and record for `again status`, what does not hold. Repairs nothing."""
    with sessions.begin() as session:
        if not invariant_results.try_lock(session):
            return InvariantCheck(0, {}, [])  # another worker is checking right now
        judged = _judgeable(session, now)
        found = invariant_results.evaluate(session, now=now, thresholds=thresholds, invariants=judged)
        changes = invariant_results.record(
            session,
            found,
            judged=[invariant.name for invariant in judged],
            known=[invariant.name for invariant in INVARIANTS],
            now=now,
        )
        _beat(session, now)
    _log(changes)
    counts = {each.invariant.name: each.count for each in found}
    return InvariantCheck(len(judged), counts, [name for name, _ in changes.gone])


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
