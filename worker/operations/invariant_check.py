"""Looking at every invariant now and then, and saying what does not hold. Nothing is repaired here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from worker.database import heartbeats
from worker.database.engine import Sessions
from worker.ledger import stops
from worker.operations import invariant_results, invariant_runner
from worker.operations.invariant_queries import STOPPED
from worker.operations.invariant_results import Noted
from worker.operations.invariant_runner import Broken
from worker.operations.invariants import INVARIANTS, Invariant, Patience

CHECKED = "invariants"
"""The heartbeat of the last look that came to its end."""

BACK_AFTER = timedelta(minutes=15)
"""After so long without a look the workers have just come back, and what was left undone is no news yet."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Vigilance:
    """What one look found; flower shows it as the task's result."""

    judged: int
    broken: dict[str, int]  # by name, of how many rows
    gone: list[str]

    def summary(self) -> dict[str, object]:
        return asdict(self)


def check_invariants(sessions: Sessions, *, now: datetime, patience: Patience) -> Vigilance:
    """Look at every invariant; log, and keep for `again status`, what does not hold. It only ever looks."""
    with sessions.begin() as session:
        if not invariant_results.try_lock(session):
            return Vigilance(0, {}, [])  # somebody else is looking just now
        judged = _judgeable(session, now)
        found = invariant_runner.broken(session, now=now, patience=patience, invariants=judged)
        noted = invariant_results.note(
            session,
            found,
            judged=[invariant.name for invariant in judged],
            known=[invariant.name for invariant in INVARIANTS],
            now=now,
        )
        _beat(session, now)
    _say(noted)
    counts = {each.invariant.name: each.count for each in found}
    return Vigilance(len(judged), counts, [name for name, _ in noted.gone])


def _judgeable(session: Session, now: datetime) -> tuple[Invariant, ...]:
    """Leave out what is about progress when nobody has looked lately, so nobody may have worked either."""
    last = heartbeats.last_seen(session).get(CHECKED)
    if last is not None and now - last <= BACK_AFTER:
        return INVARIANTS
    return tuple(invariant for invariant in INVARIANTS if not invariant.progress)


def _beat(session: Session, now: datetime) -> None:
    """Note that we have looked, and what was stopped then: a release leaves no other trace."""
    heartbeats.beat(session, CHECKED, now=now)
    for stop in stops.standing(session):
        heartbeats.beat(session, STOPPED + stop.scope, now=now)


def _say(noted: Noted) -> None:
    for each in noted.changed:
        log.error("invariant violated", **_named(each), means=each.invariant.means, remedy=each.invariant.remedy)
    for name, since in noted.gone:
        log.info("violation no longer found", invariant=name, since=since.isoformat())


def _named(broken: Broken) -> dict[str, object]:
    return {
        "invariant": broken.invariant.name,
        "count": broken.count,
        "about": broken.invariant.about,
        "examples": list(broken.examples),
    }
