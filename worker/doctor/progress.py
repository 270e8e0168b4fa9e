"""Checks of progress: when beat, the workers and each task last ran, and what is stopped."""

from __future__ import annotations

from datetime import timedelta

from schedules.beat import PUMP, Entry, beat_table
from schedules.plans import SEOUL
from worker.config.task_limits import task_time_limit
from worker.database import heartbeats
from worker.doctor import servers
from worker.doctor.finding import CheckContext, Finding, Health, broken, ok, skipped, warning
from worker.domain.alarm_limits import MISSED_TICKS, SELDOM
from worker.domain.stop_scopes import start_command
from worker.ledger import channel_stops, subscription_holds
from worker.ledger import stops as halts


def beat(context: CheckContext) -> Finding:
    return _seen(context, "beat", heartbeats.BEAT, "start `celery -A worker.app beat`, or look at its log")


def worker(context: CheckContext) -> Finding:
    return _seen(context, "worker", PUMP, "start `celery -A worker.app worker`, or look at its log")


def _seen(context: CheckContext, check: str, name: str, remedy: str) -> Finding:
    age = _age(context, name)
    said = f"{name} {'never seen' if age is None else f'last seen {_seconds(age)} ago'}"
    if age is not None and age <= _allowed(context, name):
        return ok(check, said)
    # Without a broker none of them can be seen, and the broker's own check says what to do.
    return broken(check, said, "" if servers.broker(context).health is Health.BROKEN else remedy)


def tasks(context: CheckContext) -> Finding:
    """Report the age of each task's last run: one may be missing though beat and a worker are there."""
    ages = {entry.task: _age(context, entry.task) for entry in _table(context)}
    back = _age(context, heartbeats.RETURN)
    said = ", ".join(f"{task} {'never' if age is None else f'{_seconds(age)} ago'}" for task, age in ages.items())
    late = [task for task, age in ages.items() if _is_late(context, task, age, back)]
    if PUMP in late or _is_late(context, heartbeats.BEAT, _age(context, heartbeats.BEAT), None):
        return skipped("tasks", "beat and a worker")
    if late:
        remedy = f"look for {', '.join(late)} in flower and in the worker's log; restart beat after an update"
        return warning("tasks", f"late: {', '.join(late)}; last runs: {said}", remedy, subjects=late)
    return ok("tasks", f"last runs: {said}")


def _is_late(context: CheckContext, name: str, age: timedelta | None, back: timedelta | None) -> bool:
    """Return whether a part was not seen for too long; while no worker was there, it could not be."""
    waited = [each for each in (age, back) if each is not None]
    return min(waited) > _allowed(context, name) if waited else _interval(context, name) < SELDOM


def _age(context: CheckContext, name: str) -> timedelta | None:
    """Return for how long a part has not been seen; None when it never was."""
    with context.runtime.sessions() as session:
        seen_at = heartbeats.last_seen(session).get(name)
    return None if seen_at is None else max(context.now - seen_at, timedelta(0))


def _allowed(context: CheckContext, name: str) -> timedelta:
    return MISSED_TICKS * _interval(context, name) + task_time_limit(context.runtime.settings)


def _interval(context: CheckContext, name: str) -> timedelta:
    """Return a task's interval; for beat, the shortest of the table."""
    intervals = {entry.task: entry.every for entry in _table(context) if isinstance(entry.every, timedelta)}
    return intervals.get(name, min(intervals.values()))


def _table(context: CheckContext) -> tuple[Entry, ...]:
    return beat_table(context.runtime.settings.tick)


def _seconds(age: timedelta) -> str:
    return f"{age.total_seconds():.0f} s"


def stops(context: CheckContext) -> Finding:
    """Report what is stopped, from everything down to single customers, with the reason and the command to resume."""
    with context.runtime.sessions() as session:
        standing = halts.active_stops(session)
        held = subscription_holds.held(session)
        blamed = channel_stops.blamed(session)
    subjects = [stop.scope for stop in standing]
    found = [
        (
            f"{stop.scope} since {stop.stopped_at.astimezone(SEOUL):%Y-%m-%d %H:%M %Z}: {stop.reason}",
            start_command(stop.scope),
        )
        for stop in standing
    ]
    if held:
        said = f"{held[0].held:,} held, {held[0].code} first, by {held[0].held_by}: {held[0].reason}"
        found.append((said, "again subscription release CODE"))
        subjects.append("held subscriptions")
    if blamed and all(stop.plan_id is not None for stop in standing):
        said = (
            f"{blamed[0].customers:,} of {blamed[0].pg} refused because of the configuration, while others "
            f"are paid, {blamed[0].code} first"
        )
        found.append((said, f"again charge list --subscription {blamed[0].code}"))
        subjects.append(f"refusals of {blamed[0].pg}")
    if not found:
        return ok("stops", "nothing is stopped")
    commands = ", ".join(f"`{command}`" for _, command in found)
    said = "; ".join(said for said, _ in found)
    return warning("stops", said, f"once the cause is fixed: {commands}", subjects=subjects)
