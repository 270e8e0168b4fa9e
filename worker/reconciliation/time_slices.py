"""Which stretch of PortOne's payments a sweep reads next: where it begins, where it ends, how wide it may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.domain.gateway import Found, Gateway, LookUpFailed, PaymentRecord, TooMany
from worker.reconciliation.compare import MONEY_MOVED

WINDOW = timedelta(days=1)
NARROWEST, WIDEST = timedelta(minutes=1), timedelta(days=30)
"""A step of a sweep, and how far it may adapt to what it meets; PortOne allows 90 days (documented)."""

FEW, MANY = 1_000, 20_000
"""A window with fewer payments makes the next one wider; one with more is narrowed before it is read."""

PAGE = 1_000
LONGEST_READING = timedelta(seconds=40)
"""Of one window, so that a worker that is slow on purpose reads less at once: a run ends only between two windows."""

SLACK = timedelta(minutes=5)
"""So much of the window before is read again: clocks differ, and what was being written at its end shows after it."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time whose payments are compared; `most` is None when all are read, however many there are."""

    since: datetime
    until: datetime
    most: int | None


class Windows:
    """The windows of one run of a sweep, from where the run before it has left off."""

    def __init__(
        self, *, position: datetime, until: datetime, begun_at: datetime, quiet_period: timedelta, pause: float
    ) -> None:
        self.position = position
        self._until, self._quiet_period = until, quiet_period
        # Whoever came to the position read what lies before it when the sweep had begun, or later.
        self._complete_to = self._complete(position, begun_at)
        self._width = WINDOW
        self._most = most_at_once(pause)

    def following(self, now: datetime) -> Window:
        """Give the window that is to be read now."""
        end = min(self.position + self._width, self._until, now)
        return Window(self._complete_to - SLACK, end, None if self._width <= self._narrowest else self._most)

    def narrow(self, total: int = 0) -> None:
        """Take less at once: there were too many payments, `total`, or they changed faster than they could be read."""
        width = min(self._width, self._until - self.position)
        fitting = width * (self._most / (2 * total)) if total else width
        self._width = max(min(width / 4, fitting), self._narrowest)

    @property
    def _narrowest(self) -> timedelta:
        """Say how far narrowing helps: at the end, what each step reads again weighs more than the step."""
        return max(NARROWEST, (self.position - self._complete_to) / 4)

    def passed(self, window: Window, *, read_at: datetime, payments: int) -> None:
        """Go on behind a window that was read, from `read_at` on, and held so many payments."""
        self.position = window.until
        self._complete_to = self._complete(window.until, read_at)
        if payments < FEW:
            self._width = min(2 * self._width, WIDEST)

    def _complete(self, position: datetime, read_at: datetime) -> datetime:
        """Say up to where nothing can show any more: what is younger than a quiet period may, and is read again."""
        return max(position - self._quiet_period, min(position, read_at - self._quiet_period))


async def read_next(
    gateway: Gateway, windows: Windows, *, now: datetime, pause: float, stopping: Callable[[], bool]
) -> tuple[Window, Found | TooMany | LookUpFailed]:
    """Read the next window, narrowed until it holds few enough; TooMany only when the worker stops meanwhile.

    That takes a few requests, and no budget ends it: the run after this one would find out anew.
    """
    while True:
        window = windows.following(now)
        found = await read_window(gateway, window, pause=pause)
        if not isinstance(found, TooMany) or stopping():
            return window, found
        windows.narrow(found.total)


async def read_window(gateway: Gateway, window: Window, *, pause: float) -> Found | TooMany | LookUpFailed:
    """Read every payment of a window in which money moved: all of them or none."""
    records: list[PaymentRecord] = []
    skipped = 0
    for status in MONEY_MOVED:
        left = None if window.most is None else window.most - len(records) - skipped
        found = await gateway.payments(status, since=window.since, until=window.until, pause=pause, most=left)
        if not isinstance(found, Found):
            return found
        records += found.records
        skipped += found.skipped
    return Found(tuple(records), skipped)


def most_at_once(pause: float) -> int:
    """Say how many payments a window may hold when each page of them costs a pause of so many seconds."""
    pages = MANY // PAGE if pause <= 0 else int(LONGEST_READING.total_seconds() / pause)
    return max(PAGE, min(MANY, pages * PAGE))
