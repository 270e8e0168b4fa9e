"""One worker's share of a sweep: reads time slice after time slice and compares it, until its time budget is spent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from worker.database.clock import read
from worker.database.engine import Sessions
from worker.domain.clock import Clock
from worker.domain.gateway import Found, Gateway, ListChanged, LookUpFailed, PaymentRecord, TooMany
from worker.domain.states import SweepReason
from worker.ledger import charging_hold
from worker.reconciliation import queries
from worker.reconciliation.compare import compare_page
from worker.reconciliation.queries import LeasedSweep, SliceCounts
from worker.reconciliation.sweep_lease import LEASE
from worker.reconciliation.time_slices import TimeSlice, TimeSlices, read_next
from worker.reconciliation.unlisted_payments import WrongAccount, look_up_unlisted

PAGE = 500  # payments that are compared in one transaction

FIRST_WAIT, LONGEST_WAIT = 1.0, 8.0
"""Seconds until a list that could not be read is asked for again, doubling; only while a sweep holds charging, when
nothing is more urgent."""

FINISHED, TIME_SPENT, STOPPING = "finished", "time budget spent", "worker stops"
NOT_READ, LEASE_LOST, END_AHEAD = "list not read", "no longer ours", "up to date; its end is still ahead"
"""Why a run ended; flower shows it."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementPolicy:
    """How often PortOne's payments are compared, how far back and how fast, and which of them are ours."""

    every: timedelta
    span: timedelta
    pause: float  # in seconds, before each request
    # A younger payment that PortOne does not show is not missed yet, and may show this much later: what was younger
    # when its time slice was read is read again.
    quiet_period: timedelta
    prefix: str


@dataclass(frozen=True, slots=True)
class TimeBudget:
    """How long one run goes on; `ends` is on the monotonic clock."""

    stopping: Callable[[], bool]
    monotonic: Callable[[], float]
    ends: float

    def is_spent(self) -> bool:
        return self.stopping() or self.seconds_left() <= 0

    def seconds_left(self) -> float:
        return self.ends - self.monotonic()


@dataclass(frozen=True, slots=True)
class WalkContext:
    """What every step of a walk needs."""

    sessions: Sessions
    gateway: Gateway
    clock: Clock
    policy: StatementPolicy


class SliceWalk:
    """One run through the time slices of a sweep. An `urgent` one waits for its list, and for its sweep's end."""

    def __init__(self, context: WalkContext, sweep: LeasedSweep, budget: TimeBudget, *, urgent: bool) -> None:
        self._context, self._sweep, self._budget = context, sweep, budget
        self._policy, self._clock = context.policy, context.clock
        self._urgent, self._wait = urgent, FIRST_WAIT
        self.finished, self.counts, self.failure = False, SliceCounts(), ""
        self.slices = TimeSlices(
            position=sweep.position,
            until=sweep.until,
            started_at=sweep.started_at,
            quiet_period=self._policy.quiet_period,
            pause=self._policy.pause,
        )

    async def walk(self) -> str:
        """Go on slice by slice, and return why it ended."""
        while not self.finished:
            if self._budget.is_spent():
                return TIME_SPENT
            read_at = self._clock()
            time_slice, found = await read_next(
                self._context.gateway,
                self.slices,
                now=read_at,
                pause=self._policy.pause,
                stopping=self._budget.stopping,
            )
            if isinstance(found, TooMany):
                return STOPPING
            if isinstance(found, LookUpFailed):
                if not await self._may_go_on_after(found):
                    return NOT_READ
                continue
            if (ended := await self._step(time_slice, found, read_at)) is not None:
                return ended
        return FINISHED

    async def _may_go_on_after(self, failed: LookUpFailed) -> bool:
        """Narrow a slice whose list changed while it was read; wait after any other failure, if the sweep is urgent."""
        self.failure = failed.answer.message or NOT_READ
        if isinstance(failed, ListChanged):
            self.slices.narrow()
            return True
        log.warning("sweep waits: PortOne's list could not be read", reason=self.failure)
        if not self._urgent:
            return False
        await asyncio.sleep(min(self._wait, max(self._budget.seconds_left(), 0.0)))
        self._wait = min(2 * self._wait, LONGEST_WAIT)
        return not self._budget.is_spent()

    async def _step(self, time_slice: TimeSlice, found: Found, read_at: datetime) -> str | None:
        """Compare what was read and advance; return why that was the last step for now, or None."""
        try:
            finished = await self._compare(time_slice, found)
        except WrongAccount as error:
            self.failure = str(error)
            log.error("sweep waits", reason=self.failure)  # noqa: TRY400 - a setting is wrong, not the code
            return NOT_READ
        if finished is None:
            return LEASE_LOST
        self.finished, self.failure, self._wait = finished, "", FIRST_WAIT
        self.slices.advance(time_slice, read_at=read_at, payments=len(found.records) + found.skipped)
        now = self._clock()
        if not self.finished and time_slice.until >= now - self._policy.quiet_period and now < self._sweep.until:
            return None if await self._waited_for_its_end(now) else END_AHEAD
        return None

    async def _waited_for_its_end(self, now: datetime) -> bool:
        """Wait for the end of a hold that comes within this run, so that it need not wait for a tick."""
        left = (self._sweep.until - now).total_seconds()
        if not self._urgent or left >= self._budget.seconds_left():
            return False
        await asyncio.sleep(left)
        return not self._budget.is_spent()

    async def _compare(self, time_slice: TimeSlice, found: Found) -> bool | None:
        """Compare a slice and advance. True: the sweep is finished. None: it is no longer ours."""
        counts = SliceCounts(payments=found.skipped, not_ours=found.skipped)
        counts += await asyncio.to_thread(self._compare_pages, found.records)
        counts += await look_up_unlisted(
            self._context.sessions,
            self._context.gateway,
            listed=found.records,
            since=time_slice.since,
            until=min(time_slice.until, self._clock() - self._policy.quiet_period),
            pause=self._policy.pause,
            prefix=self._policy.prefix,
            now=self._clock(),
        )
        self.counts += counts
        return await asyncio.to_thread(self._advance, time_slice.until, counts)

    def _compare_pages(self, payments: Sequence[PaymentRecord]) -> SliceCounts:
        counts = SliceCounts()
        for start in range(0, len(payments), PAGE):
            page = payments[start : start + PAGE]
            prefix, now = self._policy.prefix, self._clock()
            counts += compare_page(self._context.sessions, page, prefix=prefix, now=now, holds=True)
        return counts

    def _advance(self, position: datetime, counts: SliceCounts) -> bool | None:
        with self._context.sessions.begin() as session:
            now = read(session, self._clock)
            sweep = self._sweep
            finished = queries.advance_sweep(session, sweep, position=position, counts=counts, now=now, lease=LEASE)
            if finished and sweep.holds_claims and sweep.reason is SweepReason.RESTORED:
                charging_hold.stop_once_compared(session, since=sweep.since, begun_at=sweep.started_at, now=now)
            return finished
