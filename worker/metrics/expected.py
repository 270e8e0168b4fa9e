"""What the settings say that the metrics are held against."""

from __future__ import annotations

from datetime import timedelta
from importlib.metadata import version

from schedules.beat import beat_table
from worker.charging.run_limits import run_limits
from worker.config.settings import Settings
from worker.database import heartbeats
from worker.domain.alarm_limits import MISSED_TICKS, SELDOM
from worker.metrics.samples import Expected


def expected_of(settings: Settings, *, task_time_limit: timedelta) -> Expected:
    """Return what is expected with these settings; a part is late as `again doctor` has it."""
    intervals = {entry.task: entry.every for entry in beat_table(settings.tick) if isinstance(entry.every, timedelta)}
    parts = {heartbeats.BEAT: min(intervals.values()), **intervals}
    limits = run_limits(settings).charge_limits
    assert limits is not None, "settings always have limits"
    return Expected(
        version=version("again-billing"),
        limits=limits,
        sweep_every=timedelta(seconds=settings.sweep_every_seconds),
        late_after={part: MISSED_TICKS * every + task_time_limit for part, every in parts.items()},
        early=frozenset(part for part, every in parts.items() if every < SELDOM),
    )
