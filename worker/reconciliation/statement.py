"""The sweep: every payment that PortOne has against the books, window by window.

It finds what the look-ups of single attempts cannot: payments that these books have forgotten or never knew, declines
that were none, money given back elsewhere, and payments made twice. What PortOne's evidence leaves no choice about is
written into the books; the rest becomes a discrepancy that waits for a person. Nothing is charged by it, and nothing
given back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from worker.database.clock import read
from worker.database.engine import Sessions
from worker.domain.clock import Clock, elapsed_seconds
from worker.domain.gateway import Found, Gateway, ListChanged, LookUpFailed, PaymentRecord, TooMany
from worker.domain.states import SweepReason
from worker.ledger import charging_hold
from worker.reconciliation import queries
from worker.reconciliation.compare import NotItsAccount, compare_page, compare_window
from worker.reconciliation.queries import Counts, Taken
from worker.reconciliation.time_slices import Window, Windows, read_next

PAGE = 500  # payments that are compared in one transaction
LEASE = timedelta(seconds=20)
RENEW_SECONDS = 5.0
"""How long a sweep is ours without a sign of life, and how often there is one, however long a window takes."""

BACK_OFF = timedelta(minutes=1)
"""So long a sweep whose list could not be read is left alone: another may be readable."""

FIRST_WAIT, LONGEST_WAIT = 1.0, 8.0
"""In seconds, doubling: while a sweep holds charging, nothing is more urgent than its list."""

TIME_SPENT, STOPPING = "time budget spent", "worker stops"
NOT_READ = "list not read"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPolicy:
    """How often, how far back, how fast; and what is ours."""

    every: timedelta
    span: timedelta
    pause: float  # in seconds, before each request
    # A younger payment that PortOne does not show is not missed yet, and may show so much later: what was younger when
    # its window was read is read again.
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
    not_ours: int
    repaired: int
    found: int
    ended: str
    failure: str = ""  # why the last list that was asked for could not be read

    def summary(self) -> dict[str, object]:
        return asdict(self)


NOTHING_TO_DO = Swept(None, "", "", finished=False, payments=0, not_ours=0, repaired=0, found=0, ended="nothing due")


async def sweep(
    sessions: Sessions,
    gateway: Gateway,
    *,
    clock: Clock,
    policy: SweepPolicy,
    budget: timedelta,
    stopping: Callable[[], bool],
    only: int | None = None,
    monotonic: Callable[[], float] = elapsed_seconds,
) -> Swept:
    """Carry on with the sweep that is under way, or begin the regular one when its time has come; or do `only` one."""
    taken = await asyncio.to_thread(_take, sessions, clock, policy, only)
    if taken is None:
        return NOTHING_TO_DO
    turn = Turn(stopping, monotonic, ends=monotonic() + budget.total_seconds())
    run = _Run(sessions, gateway, clock, policy, taken, turn, urgent=taken.holds_claims and only is None)
    ended = NOT_READ
    alive = asyncio.create_task(_say_alive(sessions, taken, clock))
    try:
        ended = await run.walk()
    finally:
        alive.cancel()
        with suppress(asyncio.CancelledError):
            await alive
        # Somebody who waits for one sweep looks at that one only, and so does everybody who waits for a hold's end.
        waits = only is not None or taken.holds_claims
        back_off = BACK_OFF if ended == NOT_READ and not waits else timedelta(0)
        await asyncio.to_thread(_leave, sessions, taken, clock, back_off, run.failure)
    swept = Swept(
        taken.id,
        taken.reason,
        run.windows.position.isoformat(),
        finished=run.finished,
        ended=ended,
        failure=run.failure,
        **asdict(run.counts),
    )
    if run.finished or swept.repaired or swept.found:
        log.info("swept", **swept.summary())
    return swept


@dataclass(frozen=True, slots=True)
class Turn:
    """How long one run goes on."""

    stopping: Callable[[], bool]
    monotonic: Callable[[], float]
    ends: float

    def is_over(self) -> bool:
        return self.stopping() or self.left() <= 0

    def left(self) -> float:
        return self.ends - self.monotonic()


class _Run:
    """One worker's share of a sweep."""

    def __init__(
        self,
        sessions: Sessions,
        gateway: Gateway,
        clock: Clock,
        policy: SweepPolicy,
        taken: Taken,
        turn: Turn,
        *,
        urgent: bool,
    ) -> None:
        self._sessions, self._gateway, self._clock = sessions, gateway, clock
        self._policy, self._taken, self._turn = policy, taken, turn
        self._urgent, self._wait = urgent, FIRST_WAIT
        self.finished, self.counts, self.failure = False, Counts(), ""
        self.windows = Windows(
            position=taken.position,
            until=taken.until,
            begun_at=taken.started_at,
            quiet_period=policy.quiet_period,
            pause=policy.pause,
        )

    async def walk(self) -> str:
        """Go on window by window; says why it ended."""
        stopping = self._turn.stopping
        while not self.finished:
            if self._turn.is_over():
                return TIME_SPENT
            read_at = self._clock()
            window, found = await read_next(
                self._gateway, self.windows, now=read_at, pause=self._policy.pause, stopping=stopping
            )
            if isinstance(found, TooMany):
                return STOPPING
            if isinstance(found, LookUpFailed):
                self.failure = found.answer.message or NOT_READ
                if not isinstance(found, ListChanged):
                    log.warning("sweep waits: PortOne's list could not be read", reason=self.failure)
                    if await self._may_try_again():
                        continue
                    return NOT_READ
                self.windows.narrow()
                continue
            if (ended := await self._step(window, found, read_at)) is not None:
                return ended
        return "finished"

    async def _step(self, window: Window, found: Found, read_at: datetime) -> str | None:
        """Compare what was read and move on; says why that was the last step for now, or None."""
        try:
            moved = await self._compare(window, found)
        except NotItsAccount as error:
            self.failure = str(error)
            log.error("sweep waits", reason=self.failure)  # noqa: TRY400 - a setting is wrong, not the code
            return NOT_READ
        if moved is None:
            return "no longer ours"
        self.finished, self.failure, self._wait = moved, "", FIRST_WAIT
        self.windows.passed(window, read_at=read_at, payments=len(found.records) + found.skipped)
        now = self._clock()
        if not self.finished and window.until >= now - self._policy.quiet_period and now < self._taken.until:
            return None if await self._waited_for_its_end(now) else "up to date; its end is still ahead"
        return None

    async def _may_try_again(self) -> bool:
        """Wait for a moment when everybody waits for this sweep; False when it has to be left for now."""
        if not self._urgent:
            return False
        await asyncio.sleep(min(self._wait, max(self._turn.left(), 0.0)))
        self._wait = min(2 * self._wait, LONGEST_WAIT)
        return not self._turn.is_over()

    async def _waited_for_its_end(self, now: datetime) -> bool:
        """Wait for the end of a hold that comes within this run, so that it need not wait for a tick."""
        left = (self._taken.until - now).total_seconds()
        if not self._urgent or left >= self._turn.left():
            return False
        await asyncio.sleep(left)
        return not self._turn.is_over()

    async def _compare(self, window: Window, found: Found) -> bool | None:
        """Compare a window and move on; True at the end, None when the sweep is no longer ours."""
        counts = Counts(payments=found.skipped, not_ours=found.skipped)
        counts += await asyncio.to_thread(self._compare_pages, found.records)
        counts += await compare_window(
            self._sessions,
            self._gateway,
            seen=found.records,
            since=window.since,
            until=min(window.until, self._clock() - self._policy.quiet_period),
            pause=self._policy.pause,
            prefix=self._policy.prefix,
            now=self._clock(),
        )
        self.counts += counts
        return await asyncio.to_thread(self._advance, window.until, counts)

    def _compare_pages(self, payments: Sequence[PaymentRecord]) -> Counts:
        counts = Counts()
        for start in range(0, len(payments), PAGE):
            page = payments[start : start + PAGE]
            counts += compare_page(self._sessions, page, prefix=self._policy.prefix, now=self._clock())
        return counts

    def _advance(self, position: datetime, counts: Counts) -> bool | None:
        with self._sessions.begin() as session:
            now = read(session, self._clock)
            taken = self._taken
            ended = queries.advance(session, taken, position=position, counts=counts, now=now, lease=LEASE)
            if ended and taken.holds_claims and taken.reason == SweepReason.RESTORED:
                charging_hold.stop_once_compared(session, since=taken.since, begun_at=taken.started_at, now=now)
            return ended


async def _say_alive(sessions: Sessions, taken: Taken, clock: Clock) -> None:
    """Renew the lease for as long as this process lives and is not frozen."""
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        try:
            await asyncio.to_thread(_renew, sessions, taken, clock)
        except (OperationalError, InterfaceError) as error:
            log.warning("the lease of a sweep is not renewed", error=type(error.orig).__name__)


def _renew(sessions: Sessions, taken: Taken, clock: Clock) -> None:
    with sessions.begin() as session:
        queries.renew(session, taken, now=read(session, clock), lease=LEASE)


def _take(sessions: Sessions, clock: Clock, policy: SweepPolicy, only: int | None) -> Taken | None:
    with sessions.begin() as session:
        now = read(session, clock)
        if only is None:
            queries.begin_daily(session, every=policy.every, span=policy.span, now=now)
        return queries.take(session, now=now, lease=LEASE, only=only)


def _leave(sessions: Sessions, taken: Taken, clock: Clock, back_off: timedelta, failure: str) -> None:
    with sessions.begin() as session:
        queries.leave(session, taken, now=read(session, clock), back_off=back_off, failure=failure)
