"""The table of ticks: which task is told to look at the database, and how often.

A tick says only "look now"; what is due stands in the rows. Losing a tick therefore means that due work waits for
the next one, and doubling it (two beats, a message delivered twice) means that the second finds nothing left to
claim. Neither changes anything but latency, so ticks that waited too long are dropped rather than worked off.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

KEPT_TICKS = 3  # how many of an entry's ticks may wait while workers are away; more would tell them the same
SHORTEST_EXPIRY = timedelta(seconds=5)  # below this, a busy machine would drop ticks it was about to read


@dataclass(frozen=True)
class Entry:
    """One line of the table. `task` is a name, for nothing here knows Celery; `every` is an interval or a cron."""

    name: str
    task: str
    every: timedelta | str
    expires: timedelta  # a tick that no worker has taken by then is dropped

    def at_most(self, tick: timedelta) -> Entry:
        """Give this entry with its interval shortened to `tick`; a cron keeps its times."""
        if isinstance(self.every, str):
            return self
        every = min(self.every, tick)
        return replace(self, every=every, expires=_expiry(every))


def _expiry(every: timedelta) -> timedelta:
    return max(KEPT_TICKS * every, SHORTEST_EXPIRY)


def _entry(name: str, task: str, *, seconds: int) -> Entry:
    every = timedelta(seconds=seconds)
    return Entry(name, task, every, _expiry(every))


BEAT: tuple[Entry, ...] = (
    _entry("open due charges", "again.open_charges", seconds=60),
    _entry("charge what is due", "again.charge", seconds=10),
    _entry("reconcile unknown attempts", "again.reconcile", seconds=30),
    _entry("compare with PortOne's payments", "again.sweep", seconds=10),
    _entry("look at the invariants", "again.check_invariants", seconds=300),
)


def beat_table(tick: timedelta | None = None) -> tuple[Entry, ...]:
    """Give the table, with no interval longer than `tick`: one setting that hurries a demonstration or a test."""
    if tick is None:
        return BEAT
    if tick <= timedelta(0):
        raise ValueError(f"A tick must be longer than nothing, not {tick}; leave it out for the usual intervals.")
    return tuple(entry.at_most(tick) for entry in BEAT)
