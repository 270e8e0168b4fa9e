"""The time by which claims, leases and quiet periods are judged: the database's, so that no machine's clock matters.

PostgreSQL's clock is the one clock that all workers share. Code that decides about money asks it in the transaction
that decides (`read`). In between, the seconds since the last answer are counted by a monotonic clock, so setting the
machine's clock changes nothing.

In the sandbox that clock can be turned ahead (`worker.ledger.clock_turns`): what a turned clock shows is the database's
time and how far it was turned. A turn is no step: it is made while nothing is under way, and holds no charging.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from worker.domain.clock import Clock, elapsed_seconds, system_clock

SAMPLES = 3

APART = timedelta(seconds=30)
"""A clock that differs by more from the database's is wrong; and more must change before it is reported again."""

DRIFT = 0.001
"""By how much, as a share, one good clock may go faster or slower than another: NTP slews each by half of that."""

NONE = timedelta(0)

_NOW = text("SELECT clock_timestamp()")  # now() is the transaction's start

TURNING = 7_240_451_309
"""The advisory lock of turns: shared by the transactions that decide by the clock, and a turn is alone."""

_UNTURNED = text(f"SELECT pg_advisory_xact_lock_shared({TURNING})")
_AHEAD = text("SELECT clock_ahead FROM database_identity")

log = structlog.get_logger()

Source = Connection | Session


@dataclass(frozen=True, slots=True)
class Step:
    """The database's clock has moved by `by` beyond what has elapsed here, no longer than `within` ago.

    It was set, or another server answers, or this machine stood still without its clocks noticing.
    """

    by: timedelta
    within: timedelta


@dataclass(frozen=True, slots=True)
class _Sample:
    """What the database said, and the elapsed seconds before and after it was asked."""

    theirs: datetime
    asked: float
    answered: float

    @property
    def took(self) -> timedelta:
        return timedelta(seconds=self.answered - self.asked)


@dataclass(frozen=True, slots=True)
class _Base:
    """The instant it was at so many elapsed seconds, give or take `uncertainty`."""

    at: datetime
    elapsed: float
    uncertainty: timedelta

    def after(self, elapsed: float) -> datetime:
        return self.at + timedelta(seconds=elapsed - self.elapsed)


def warn(ahead: timedelta) -> None:
    """Log what became of this machine's clock; a worker's way of telling."""
    seconds = round(ahead.total_seconds(), 1)
    if abs(ahead) > APART:
        log.warning(
            "this machine's clock is wrong; charging goes by the database's, the log's times do not: run NTP here",
            database_ahead=seconds,
        )
    else:
        log.info("this machine's clock agrees with the database's again", database_ahead=seconds)


def ask(source: Source) -> datetime:
    """Ask the database what time it is, in whatever transaction is open."""
    now: datetime = source.execute(_NOW).scalar_one()
    return now


class DatabaseClock:
    """A Clock: the database's time when last asked, and what has elapsed since. Before that, the system's.

    One per process; calling it asks no server, so it is safe on an event loop. `tell` hears of a machine's wrong clock,
    once per change: one that drifts by milliseconds is not worth a line every tick. With `follows_turns` it is ahead by
    what the sandbox's clock was turned.
    """

    def __init__(
        self,
        system: Clock = system_clock,
        *,
        tell: Callable[[timedelta], None] = warn,
        elapsed: Callable[[], float] = elapsed_seconds,
        ask: Callable[[Source], datetime] = ask,
        follows_turns: bool = False,
    ) -> None:
        self._system, self._tell, self._elapsed, self._ask = system, tell, elapsed, ask
        self._told = NONE
        self._base: _Base | None = None
        self._learnt = 0.0  # when it was last asked, in elapsed seconds
        self._agreed = 0.0  # when an answer was last what it was expected to be
        self._moved = NONE
        self.follows_turns = follows_turns
        self._ahead = NONE

    def __call__(self) -> datetime:
        return self._real() + self._ahead

    def _real(self) -> datetime:
        base = self._base
        return self._system() if base is None else base.after(self._elapsed())

    def sync(self, source: Engine | Session) -> None:
        """Ask the database what time it is. Raises what the database raises, and then all stays as it was.

        Of a few answers the quickest is taken: a process that froze over a question believes no worse answer.
        """
        if isinstance(source, Engine):
            with source.connect() as connection:
                self._sync(connection)
        else:
            self._sync(source)

    def read(self, source: Source) -> datetime:
        """Ask within a transaction for the instant by which it decides; until it ends, the clock is not turned."""
        if self.follows_turns:
            source.execute(_UNTURNED)
        self._follow(source)
        sample = self._sample(source)
        self._learn(sample)
        return sample.theirs + self._ahead

    @property
    def ahead(self) -> timedelta:
        """By how much the clock was turned, when it was last asked."""
        return self._ahead

    @property
    def step(self) -> Step | None:
        """How the database's clock has stepped since that was last dealt with; None when it has not."""
        if not self._moved:
            return None
        return Step(self._moved, timedelta(seconds=self._elapsed() - self._agreed))

    def dealt_with(self, step: Step) -> None:
        """Forget a step: whatever had to be done about it is committed."""
        self._moved -= step.by
        self._agreed = self._elapsed()

    def _follow(self, source: Source) -> None:
        if self.follows_turns:
            self._ahead = source.execute(_AHEAD).scalar_one()

    def _sync(self, source: Source) -> None:
        best = min(self._samples(source), key=lambda sample: sample.took)
        self._learn(best)
        self._follow(source)
        ahead = self._real() - self._system()
        if abs(ahead - self._told) > APART:
            self._told = ahead
            self._tell(ahead)

    def _samples(self, source: Source) -> Iterator[_Sample]:
        for _ in range(SAMPLES):
            yield self._sample(source)

    def _sample(self, source: Source) -> _Sample:
        asked = self._elapsed()
        theirs = self._ask(source)
        return _Sample(theirs, asked, self._elapsed())

    def _learn(self, sample: _Sample) -> None:
        """Count from this answer, unless the one before says the same with less doubt; note a step."""
        half, base = sample.took / 2, self._base
        now = sample.theirs + half
        if base is None:
            self._base = _Base(now, sample.answered, half)
        else:
            apart, doubt = now - base.after(sample.answered), half + base.uncertainty
            drift = timedelta(seconds=DRIFT * (sample.answered - self._learnt))
            if abs(apart) > doubt + drift:
                self._moved += apart - doubt if apart > NONE else apart + doubt
            if abs(apart) > doubt or half < base.uncertainty:
                self._base = _Base(now, sample.answered, half)
        self._learnt = sample.answered
        if not self._moved:
            self._agreed = sample.answered


def read(source: Source, clock: Clock) -> datetime:
    """Return the instant by which a transaction decides: asked of the database in it, by a clock that can ask."""
    return clock.read(source) if isinstance(clock, DatabaseClock) else clock()
