"""The sweep: every payment that PortOne has against the books, window by window.

It finds what the look-ups of single attempts cannot: payments that these books have forgotten or never knew, declines
that were none, money given back elsewhere, and payments made twice. What PortOne's evidence leaves no choice about is
written into the books; the rest becomes a difference that waits for a person. Nothing is charged by it, and nothing
given back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from time import monotonic

import structlog

from worker.clock import Clock
from worker.comparing import MONEY_MOVED, compare_page, compare_window
from worker.database import sweeps
from worker.database.session import Sessions
from worker.database.sweeps import Counts, Taken
from worker.gateway import Gateway, LookUpFailed, PaymentRecord

WINDOW = timedelta(days=1)
NARROWEST, WIDEST = timedelta(hours=1), timedelta(days=30)
"""A step of a sweep, and how far it may adapt to what it meets; PortOne allows 90 days (documented)."""

FEW, MANY = 1_000, 20_000
"""So many payments in a window make the next one wider, or narrower: a window is held in memory, and repeated whole."""

PAGE = 500
LEASE = timedelta(minutes=10)
"""How long a sweep is ours without a sign of life: longer than any window takes."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPolicy:
    """How often, how far back, how fast; and what is ours."""

    every: timedelta
    span: timedelta
    pause: float  # in seconds, before each request
    # A younger payment that PortOne does not show is not missed yet, and may show so much later: every window begins
    # a quiet period before the last one's end.
    quiet_period: timedelta
    prefix: str


@dataclass(frozen=True, slots=True)
class Swept:
    """What one run did; flower shows it as the task's result."""

    sweep: int | None
    reason: str
    position: str
    finished: bool
    payments: int
    strangers: int
    repaired: int
    found: int
    ended: str

    def summary(self) -> dict[str, object]:
        return asdict(self)


NOTHING_TO_DO = Swept(None, "", "", finished=False, payments=0, strangers=0, repaired=0, found=0, ended="nothing due")


async def sweep(
    sessions: Sessions,
    gateway: Gateway,
    *,
    clock: Clock,
    policy: SweepPolicy,
    budget: timedelta,
    stopping: Callable[[], bool],
    only: int | None = None,
    monotonic: Callable[[], float] = monotonic,
) -> Swept:
    """Carry on with the sweep that is under way, or begin the regular one when its time has come; or do `only` one."""
    taken = await asyncio.to_thread(_take, sessions, clock(), policy, only)
    if taken is None:
        return NOTHING_TO_DO
    run = _Run(sessions, gateway, clock, policy, taken)
    started = monotonic()

    def over() -> bool:
        return stopping() or monotonic() - started >= budget.total_seconds()

    try:
        ended = await run.walk(over)
    finally:
        await asyncio.to_thread(_leave, sessions, taken, clock())
    swept = Swept(
        taken.id, taken.reason, run.position.isoformat(), finished=run.finished, ended=ended, **asdict(run.counts)
    )
    if run.finished or swept.repaired or swept.found:
        log.info("swept", **swept.summary())
    return swept


class _Run:
    """One worker's share of a sweep."""

    def __init__(self, sessions: Sessions, gateway: Gateway, clock: Clock, policy: SweepPolicy, taken: Taken) -> None:
        self._sessions, self._gateway, self._clock = sessions, gateway, clock
        self._policy, self._taken = policy, taken
        self.position, self.finished, self.counts = taken.position, False, Counts()
        self._width, self._ours = WINDOW, True

    async def walk(self, over: Callable[[], bool]) -> str:
        """Go on window by window; says why it ended."""
        while not self.finished:
            if over():
                return "time budget spent"
            end = min(self.position + self._width, self._taken.until, self._clock())
            failed = await self._window(self.position - self._policy.quiet_period, end)
            if failed is not None:
                log.warning("sweep waits: PortOne's list could not be read", reason=failed.answer.message)
                return "list not read"
            if not self._ours:
                return "no longer ours"
            self.position = end
            now = self._clock()
            if not self.finished and end >= now - self._policy.quiet_period and now < self._taken.until:
                return "up to date; its end is still ahead"
        return "finished"

    async def _window(self, since: datetime, until: datetime) -> LookUpFailed | None:
        """Compare one window, whole or not at all; then move on."""
        payments: list[PaymentRecord] = []
        for status in MONEY_MOVED:
            found = await self._gateway.payments(status, since=since, until=until, pause=self._policy.pause)
            if isinstance(found, LookUpFailed):
                return found
            payments += found.records
        if len(payments) < FEW:
            self._width = min(2 * self._width, WIDEST)
        elif len(payments) > MANY:
            self._width = max(self._width / 4, NARROWEST)
        counts = await asyncio.to_thread(self._compare, payments)
        counts += await compare_window(
            self._sessions,
            self._gateway,
            seen=payments,
            since=since,
            until=min(until, self._clock() - self._policy.quiet_period),
            pause=self._policy.pause,
            prefix=self._policy.prefix,
            now=self._clock(),
        )
        moved = await asyncio.to_thread(self._advance, until, counts)
        self.finished, self._ours = bool(moved), moved is not None
        self.counts += counts
        return None

    def _compare(self, payments: list[PaymentRecord]) -> Counts:
        counts = Counts()
        for start in range(0, len(payments), PAGE):
            page = payments[start : start + PAGE]
            counts += compare_page(self._sessions, page, prefix=self._policy.prefix, now=self._clock())
        return counts

    def _advance(self, position: datetime, counts: Counts) -> bool | None:
        with self._sessions.begin() as session:
            return sweeps.advance(
                session, self._taken, position=position, counts=counts, now=self._clock(), lease=LEASE
            )


def _take(sessions: Sessions, now: datetime, policy: SweepPolicy, only: int | None) -> Taken | None:
    with sessions.begin() as session:
        if only is None:
            sweeps.begin_daily(session, every=policy.every, span=policy.span, now=now)
        return sweeps.take(session, now=now, lease=LEASE, only=only)


def _leave(sessions: Sessions, taken: Taken, now: datetime) -> None:
    with sessions.begin() as session:
        sweeps.leave(session, taken.id, now=now)
