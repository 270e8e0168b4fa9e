"""Does the work go on, and is any of it stopped? The checks only read."""

from __future__ import annotations

from datetime import timedelta

from schedules.beat import beat_table
from schedules.plans import SEOUL
from worker.database import heartbeats
from worker.doctor import servers
from worker.doctor.finding import Finding, Health, Patient, broken, ok, warning
from worker.ledger import channel_stops, subscription_holds
from worker.ledger import stops as halts

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
    return broken(check, said, "" if servers.broker(patient).health is Health.BROKEN else remedy)


def _patience(patient: Patient, name: str) -> timedelta:
    seconds = patient.runtime.settings.tick_seconds
    table = beat_table(None if seconds is None else timedelta(seconds=seconds))
    intervals = {entry.task: entry.every for entry in table if isinstance(entry.every, timedelta)}
    longest_task = timedelta(seconds=patient.task_time_limit)
    return MISSED_TICKS * intervals.get(name, min(intervals.values())) + longest_task


def stops(patient: Patient) -> Finding:
    """What is stopped, from everything down to single customers, with why, and the command that lets it go on."""
    with patient.runtime.sessions() as session:
        standing = halts.standing(session)
        held = subscription_holds.held(session)
        blamed = channel_stops.blamed(session)
    found = [
        (f"{stop.scope} since {stop.stopped_at.astimezone(SEOUL):%Y-%m-%d %H:%M %Z}: {stop.reason}", _start(stop.scope))
        for stop in standing
    ]
    if held:
        said = f"{held[0].held:,} held by a cap, {held[0].code} first: {held[0].reason}"
        found.append((said, "again subscription release CODE"))
    if blamed and not standing:
        said = (
            f"{blamed[0].customers:,} of {blamed[0].pg} refused as by a fault of the configuration, while others "
            f"are paid, {blamed[0].code} first"
        )
        found.append((said, f"again charge list --subscription {blamed[0].code}"))
    if not found:
        return ok("stops", "nothing is stopped")
    commands = ", ".join(f"`{command}`" for _, command in found)
    return warning("stops", "; ".join(said for said, _ in found), f"when the cause is gone: {commands}")


def _start(scope: str) -> str:
    return "again start" if scope == halts.EVERYTHING else f"again start {scope}"
