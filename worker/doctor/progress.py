"""Does the work go on, and is any of it stopped? The checks only read."""

from __future__ import annotations

from datetime import timedelta

from schedules.beat import PUMP, Entry, beat_table
from schedules.plans import SEOUL
from worker.database import heartbeats
from worker.doctor import servers
from worker.doctor.finding import Finding, Health, Patient, broken, ok, warning
from worker.ledger import channel_stops, subscription_holds
from worker.ledger import stops as halts

MISSED_TICKS = 6
"""Intervals without a tick after which beat, or every worker, counts as down."""

SELDOM = timedelta(minutes=2)
"""A task with a longer interval may not have run yet although beat and workers have just been started."""


def beat(patient: Patient) -> Finding:
    return _seen(patient, "beat", heartbeats.BEAT, "start `celery -A worker.app beat`, or look at its log")


def worker(patient: Patient) -> Finding:
    return _seen(patient, "worker", PUMP, "start `celery -A worker.app worker`, or look at its log")


def _seen(patient: Patient, check: str, name: str, remedy: str) -> Finding:
    age = _age(patient, name)
    said = f"{name} {'never seen' if age is None else f'last seen {_seconds(age)} ago'}"
    if age is not None and age <= _allowed(patient, name):
        return ok(check, said)
    # Without a broker none of them can be seen, and the broker's own check says what to do.
    return broken(check, said, "" if servers.broker(patient).health is Health.BROKEN else remedy)


def tasks(patient: Patient) -> Finding:
    """Report the age of each task's last run: one may be missing though beat and a worker are there."""
    ages = {entry.task: _age(patient, entry.task) for entry in _table(patient)}
    said = ", ".join(f"{task} {'never' if age is None else f'{_seconds(age)} ago'}" for task, age in ages.items())
    late = [task for task, age in ages.items() if _is_late(patient, task, age)]
    if PUMP in late or _is_late(patient, heartbeats.BEAT, _age(patient, heartbeats.BEAT)):
        return Finding("tasks", Health.SKIPPED, "needs beat and a worker")
    if late:
        remedy = f"look for {', '.join(late)} in flower and in the worker's log; restart beat after an update"
        return warning("tasks", f"late: {', '.join(late)}; last runs: {said}", remedy)
    return ok("tasks", f"last runs: {said}")


def _is_late(patient: Patient, name: str, age: timedelta | None) -> bool:
    return age > _allowed(patient, name) if age is not None else _interval(patient, name) < SELDOM


def _age(patient: Patient, name: str) -> timedelta | None:
    """Return for how long a part has not been seen; None when it never was."""
    with patient.runtime.sessions() as session:
        seen_at = heartbeats.last_seen(session).get(name)
    return None if seen_at is None else max(patient.now - seen_at, timedelta(0))


def _allowed(patient: Patient, name: str) -> timedelta:
    return MISSED_TICKS * _interval(patient, name) + timedelta(seconds=patient.task_time_limit)


def _interval(patient: Patient, name: str) -> timedelta:
    """Return a task's interval; for beat, the shortest of the table."""
    intervals = {entry.task: entry.every for entry in _table(patient) if isinstance(entry.every, timedelta)}
    return intervals.get(name, min(intervals.values()))


def _table(patient: Patient) -> tuple[Entry, ...]:
    return beat_table(patient.runtime.settings.tick)


def _seconds(age: timedelta) -> str:
    return f"{age.total_seconds():.0f} s"


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
