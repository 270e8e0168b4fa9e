"""How long a task may run, and for how long the broker waits for one that it has handed out."""

from __future__ import annotations

from datetime import timedelta

from worker.config.settings import Settings


def task_time_limit(settings: Settings) -> timedelta:
    """No task reaches this: the pump's budget, its last call and its last write-back fit in, with a minute to spare."""
    seconds = settings.pump_seconds + 2 * settings.write_back_seconds
    return timedelta(seconds=seconds) + settings.call_deadline + timedelta(minutes=1)


def visibility_timeout(settings: Settings) -> int:
    """In seconds; longer than any task runs, or the broker would deliver a running task again."""
    return max(600, 2 * int(task_time_limit(settings).total_seconds()))
