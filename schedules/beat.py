"""Beat's table: which task is told to look at the database, how often, and for how long its message is worth reading.

A tick says only "look now"; what is due stands in the rows. Losing a tick therefore means that due work waits for
the next one, and doubling it (two beats, a message delivered twice) means that the second finds nothing left to
claim. Neither changes anything but latency, so ticks that waited too long are dropped rather than worked off.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

PUMP = "again.charge"
"""The task whose runs last for as long as charges are due; every other task ends soon."""

RELAY = "again.relay"
"""The task that is told to look every second: events are to arrive soon, and a look costs next to nothing."""

KEPT_TICKS = 3
"""Ticks of one task that may wait while workers are away; more would tell them the same."""

MIN_EXPIRY = timedelta(seconds=5)
"""A message that expired sooner would be dropped by a busy machine that was about to read it."""


@dataclass(frozen=True)
class Entry:
    """One row of the table. `task` is a name, for nothing here knows Celery; `every` is an interval or a cron."""

    task: str
    every: timedelta | str
    expires: timedelta  # a message that no worker has taken by then is dropped


INTERVALS: tuple[tuple[str, timedelta | str], ...] = (
    ("again.apply_changes", timedelta(seconds=30)),
    ("again.open_charges", timedelta(seconds=60)),
    (PUMP, timedelta(seconds=10)),
    ("again.reconcile", timedelta(seconds=30)),
    ("again.checkout_maintenance", timedelta(seconds=30)),
    ("again.sweep", timedelta(seconds=10)),
    ("again.refunds", timedelta(seconds=60)),
    (RELAY, timedelta(seconds=1)),
    ("again.notices", timedelta(seconds=30)),
    ("again.check_invariants", timedelta(seconds=300)),
    ("again.watch", timedelta(seconds=60)),
    ("again.prune_events", timedelta(seconds=300)),
    ("again.make_partitions", timedelta(hours=1)),
)


def beat_table(
    tick: timedelta | None = None, intervals: tuple[tuple[str, timedelta | str], ...] = INTERVALS
) -> tuple[Entry, ...]:
    """Return the table, with no interval longer than `tick`: one setting that hurries a demonstration or a test.

    While much is due, every worker process is in a pump run, and the other tasks' messages wait behind the pump's. The
    pump's must be the first to expire: others that lived no longer would die behind them, and nothing would be opened
    or looked up until everything is charged.
    """
    if tick is not None and tick <= timedelta(0):
        raise ValueError(f"A tick must be longer than nothing, not {tick}; leave it out for the usual intervals.")
    hurried = [
        (task, every if isinstance(every, str) or tick is None else min(every, tick)) for task, every in intervals
    ]
    pump_expires = max(_expiry(every) for task, every in hurried if task == PUMP)
    return tuple(
        Entry(task, every, pump_expires if task == PUMP else max(_expiry(every), KEPT_TICKS * pump_expires))
        for task, every in hurried
    )


def _expiry(every: timedelta | str) -> timedelta:
    """Return how long a task's messages are kept by its own interval; a cron is seldom, so its ticks may wait long."""
    return timedelta(hours=1) if isinstance(every, str) else max(KEPT_TICKS * every, MIN_EXPIRY)
