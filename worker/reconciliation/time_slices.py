"""Time slices: which part of PortOne's payments a sweep reads next, and how wide it may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.domain.gateway import Found, Gateway, LookUpFailed, PaymentRecord, TooMany
from worker.reconciliation.compare import MONEY_MOVED

FIRST_WIDTH = timedelta(days=1)
MIN_WIDTH, MAX_WIDTH = timedelta(minutes=1), timedelta(days=30)
"""Width of a run's first slice, and the bounds between which it adapts; PortOne allows 90 days (documented)."""

FEW_PAYMENTS, MAX_PAYMENTS = 1_000, 20_000
"""A slice with fewer payments than the first makes the next one wider; one with more than the second is narrowed."""

PAGE = 1_000  # payments
MAX_READ_TIME = timedelta(seconds=40)
"""Longest time for reading one slice. A worker with few requests per second reads less at once: a run ends only between
two slices."""

OVERLAP = timedelta(minutes=5)
"""How much of the slice before is read again: clocks differ, and what was being written at its end shows after it."""


@dataclass(frozen=True, slots=True)
class TimeSlice:
    """A span of time whose payments are read together; `limit` is None when all are read, however many there are."""

    since: datetime
    until: datetime
    limit: int | None


class TimeSlices:
    """The time slices of one run of a sweep, from where the run before it ended."""

    def __init__(
        self, *, position: datetime, until: datetime, started_at: datetime, quiet_period: timedelta, pause: float
    ) -> None:
        self.position = position
        self._until, self._quiet_period = until, quiet_period
        # What lies before the position was read after the sweep had started, or later.
        self._complete_to = self._complete(position, started_at)
        self._width = FIRST_WIDTH
        self._limit = payments_per_slice(pause)

    def next(self, now: datetime) -> TimeSlice:
        """Return the slice that is to be read now."""
        end = min(self.position + self._width, self._until, now)
        return TimeSlice(self._complete_to - OVERLAP, end, None if self._width <= self._min_width else self._limit)

    def narrow(self, total: int = 0) -> None:
        """Read less at once: there were too many payments, `total`, or they changed faster than they could be read."""
        width = min(self._width, self._until - self.position)
        fitting = width * (self._limit / (2 * total)) if total else width
        self._width = max(min(width / 4, fitting), self._min_width)

    @property
    def _min_width(self) -> timedelta:
        """Return the width below which narrowing is no help: each slice would mostly repeat what was read."""
        return max(MIN_WIDTH, (self.position - self._complete_to) / 4)

    def advance(self, time_slice: TimeSlice, *, read_at: datetime, payments: int) -> None:
        """Continue after a slice with this many payments, the reading of which started at `read_at`."""
        self.position = time_slice.until
        self._complete_to = self._complete(time_slice.until, read_at)
        if payments < FEW_PAYMENTS:
            self._width = min(2 * self._width, MAX_WIDTH)

    def _complete(self, position: datetime, read_at: datetime) -> datetime:
        """Return the time up to which no further payment can show; what is younger than a quiet period still may."""
        return max(position - self._quiet_period, min(position, read_at - self._quiet_period))


async def read_next(
    gateway: Gateway, slices: TimeSlices, *, now: datetime, pause: float, stopping: Callable[[], bool]
) -> tuple[TimeSlice, Found | TooMany | LookUpFailed]:
    """Read the next slice, narrowed until it holds few enough payments; TooMany only when the worker stops meanwhile.

    That takes a few requests, which no time budget interrupts: the next run would have to make them again.
    """
    while True:
        time_slice = slices.next(now)
        found = await read_slice(gateway, time_slice, pause=pause)
        if not isinstance(found, TooMany) or stopping():
            return time_slice, found
        slices.narrow(found.total)


async def read_slice(gateway: Gateway, time_slice: TimeSlice, *, pause: float) -> Found | TooMany | LookUpFailed:
    """Read every payment of a slice in which money moved: all of them or none."""
    records: list[PaymentRecord] = []
    skipped = 0
    for status in MONEY_MOVED:
        left = None if time_slice.limit is None else time_slice.limit - len(records) - skipped
        found = await gateway.payments(status, since=time_slice.since, until=time_slice.until, pause=pause, most=left)
        if not isinstance(found, Found):
            return found
        records += found.records
        skipped += found.skipped
    return Found(tuple(records), skipped)


def payments_per_slice(pause: float) -> int:
    """Return how many payments a slice may hold when each page of them costs a pause of so many seconds."""
    pages = MAX_PAYMENTS // PAGE if pause <= 0 else int(MAX_READ_TIME.total_seconds() / pause)
    return max(PAGE, min(MAX_PAYMENTS, pages * PAGE))
