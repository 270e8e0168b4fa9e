"""The time by which leases and quiet periods are judged: the database's, so that no worker's wrong clock matters.

PostgreSQL's clock is the one clock that all workers share. It is asked now and then; in between, ours runs on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from worker.clock import Clock, system_clock

SAMPLES = 3

APART = timedelta(seconds=30)
"""A clock that differs by more from the database's is wrong; and more must change before it is told of anew."""

_NOW = text("SELECT clock_timestamp()")  # now() is the transaction's start

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sample:
    """How far the database's clock was ahead of ours in one round trip, give or take `uncertainty`."""

    ahead: timedelta
    uncertainty: timedelta


def warn(ahead: timedelta) -> None:
    """Log what became of our clock; a worker's way of telling."""
    seconds = round(ahead.total_seconds(), 1)
    if abs(ahead) > APART:
        log.warning("this machine's clock is wrong, going by the database's: run NTP here", database_ahead=seconds)
    else:
        log.info("this machine's clock agrees with the database's again", database_ahead=seconds)


class DatabaseClock:
    """A Clock: the system's, corrected by how far the database's was ahead when last asked. Before that, uncorrected.

    One per process; calling it asks nobody, so it is safe on an event loop. `tell` hears of a wrong clock, once per
    change: one that drifts by milliseconds is not worth a line every tick.
    """

    def __init__(self, system: Clock = system_clock, *, tell: Callable[[timedelta], None] = warn) -> None:
        self._system = system
        self._tell = tell
        self._ahead = timedelta(0)
        self._told = timedelta(0)

    def __call__(self) -> datetime:
        return self._system() + self._ahead

    def sync(self, source: Engine | Session) -> None:
        """Ask the database what time it is. Raises what the database raises, and then all stays as it was.

        A sample whose uncertainty covers the present correction does not contradict it and changes nothing: clocks
        that agree are left alone, and a process that froze over the question believes no worse answer than it had.
        """
        if isinstance(source, Engine):
            with source.connect() as connection:
                self._set_by(connection)
        else:
            self._set_by(source)

    def _set_by(self, connection: Connection | Session) -> None:
        best = min(self._samples(connection), key=lambda sample: sample.uncertainty, default=None)
        if best is not None and abs(best.ahead - self._ahead) > best.uncertainty:
            self._ahead = best.ahead
        if abs(self._ahead - self._told) > APART:
            self._told = self._ahead
            self._tell(self._ahead)

    def _samples(self, connection: Connection | Session) -> Iterator[Sample]:
        for _ in range(SAMPLES):
            asked_at = self._system()
            theirs: datetime = connection.execute(_NOW).scalar_one()
            half = (self._system() - asked_at) / 2
            if half >= timedelta(0):  # else our clock was set back meanwhile
                yield Sample(theirs - (asked_at + half), half)
