"""Does the work go on, and is any of it stopped? The checks only read."""

from __future__ import annotations

from datetime import timedelta

from schedules.beat import beat_table
from schedules.plans import SEOUL
from worker import server_checks
from worker.database import heartbeats, holds
from worker.database import stops as halts
from worker.findings import Finding, Health, Patient, broken, ok, warning

MISSED_TICKS = 6
"""So many intervals without a tick mean that beat, or every worker, is down."""


def beat(patient: Patient) -> Finding:
    return _seen(patient, "beat", [heartbeats.BEAT], "start `celery -A worker.app beat`, or look at its log")


def worker(patient: Patient) -> Finding:
    return _seen(patient, "worker", ["again.charge"], "start `celery -A worker.app worker`, or look at its log")


def _seen(patient: Patient, check: str, names: list[str], remedy: str) -> Finding:
    with patient.runtime.sessions() as session:
        seen = heartbeats.last_seen(session)
    missing = [name for name in names if name not in seen]
    if missing:
        return _unseen(patient, check, f"{', '.join(missing)} never seen", remedy)
    oldest = min(names, key=lambda name: seen[name])
    age, patience = patient.now - seen[oldest], _patience(patient, oldest)
    said = f"{oldest} last seen {max(age, timedelta(0)).total_seconds():.0f} s ago"
    return ok(check, said) if age <= patience else _unseen(patient, check, said, remedy)


def _unseen(patient: Patient, check: str, said: str, remedy: str) -> Finding:
    """Without a broker nobody can be seen, and the broker's own check says what to do."""
    return broken(check, said, "" if server_checks.broker(patient).health is Health.BROKEN else remedy)


def _patience(patient: Patient, name: str) -> timedelta:
    seconds = patient.runtime.settings.tick_seconds
    table = beat_table(None if seconds is None else timedelta(seconds=seconds))
    intervals = {entry.task: entry.every for entry in table if isinstance(entry.every, timedelta)}
    longest_task = timedelta(seconds=patient.task_time_limit)
    return MISSED_TICKS * intervals.get(name, min(intervals.values())) + longest_task


def stops(patient: Patient) -> Finding:
    with patient.runtime.sessions() as session:
        standing = halts.standing(session)
        held = holds.held(session)
    if not standing and not held:
        return ok("stops", "nothing is stopped")
    if not standing:
        said = f"{held[0].held:,} subscriptions are held; the first is {held[0].code}: {held[0].reason}"
        return warning("stops", said, "`again status` names them; `again subscription release CODE` lets one go on")
    said = "; ".join(
        f"{stop.scope} since {stop.stopped_at.astimezone(SEOUL):%Y-%m-%d %H:%M %Z}: {stop.reason}" for stop in standing
    )
    commands = ", ".join(f"`{_start(stop.scope)}`" for stop in standing)
    return warning("stops", said, f"when the cause is gone: {commands}")


def _start(scope: str) -> str:
    return "again start" if scope == halts.EVERYTHING else f"again start {scope}"
