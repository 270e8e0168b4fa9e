"""The pump: claims due charges, charges them with many calls in flight, and settles the answers.

A claim commits the attempts and their idempotency keys before any request leaves (write-ahead). The database is used in
bulk and off the event loop; no transaction is open while PortOne is called.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass

import structlog

from worker.charging.limited_claim import claim_within_limits
from worker.charging.run_limits import RunLimits
from worker.charging.write_back_queue import Answered, WriteBackQueue
from worker.database.engine import Sessions
from worker.domain.attempt import Attempt
from worker.domain.charge_limits import (
    LimitExceeded,
    SubscriptionLimitsExceeded,
    Total,
    totals,
)
from worker.domain.clock import Clock, elapsed_seconds, system_clock
from worker.domain.gateway import Gateway, LeaseCheck
from worker.domain.lookup_evidence import outcome_of_answer
from worker.domain.outcomes import NotCharged, NotChargedReason, Outcome, Unknown, UnknownReason
from worker.domain.retry_policy import RetryPolicy
from worker.domain.settlement import settle
from worker.ledger.claiming import ClaimConflict
from worker.ledger.database_identity import WrongDatabase
from worker.ledger.write_back import write_back
from worker.reconciliation.pre_send_check import PreSendCheck

MAX_CONSECUTIVE_FAILURES = 20
"""Circuit breaker: the run ends after this many calls in a row that failed before sending, or claim conflicts."""

BUDGET_SPENT = "time budget spent"
"""Why a run ended that could have gone on."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PumpResult:
    """What one pump run did; flower shows it as the task's result."""

    claimed: int
    paid: int
    declined: int
    not_charged: int
    unknown: int
    seconds: float
    ended: str

    def summary(self) -> dict[str, object]:
        return asdict(self)


class Pump:
    """One run. Several may run at once, on one machine or many: claims skip each other's rows."""

    def __init__(
        self,
        sessions: Sessions,
        gateway: Gateway,
        *,
        clock: Clock,
        limits: RunLimits,
        policy: RetryPolicy,
        stopping: Callable[[], bool],
        monotonic: Callable[[], float] = elapsed_seconds,
        wall: Clock = system_clock,
    ) -> None:
        self._sessions = sessions
        self._gateway = gateway
        self._clock = clock
        self._limits = limits
        self._policy = policy
        self._stopping = stopping
        self._monotonic, self._wall = monotonic, wall
        self._pre_send_check = PreSendCheck(sessions=sessions, gateway=gateway, clock=clock, prefix=limits.prefix)
        self._calls: set[asyncio.Task[None]] = set()
        self._queue = WriteBackQueue(self._write_back, patience=limits.send_within, monotonic=monotonic)
        self._not_sent_in_a_row = 0
        self._conflicts_in_a_row = 0
        self._counts: Counter[str] = Counter()
        self._claimed: dict[str, Total] = {}

    async def run(self) -> PumpResult:
        """Charge until nothing is due, time is up or the worker is told to stop; settle all calls in flight."""
        started = self._monotonic()
        if problem := await self._gateway.ready():
            log.error("the gateway is not ready; nothing was claimed", reason=problem.answer.message)
            return self._result(started, f"gateway not ready: {problem.reason.value}")
        settler = asyncio.create_task(self._queue.write_all_back())
        try:
            ended = await self._claim_all(started)
        finally:
            await self._queue.drained()
            settler.cancel()
            with suppress(asyncio.CancelledError):
                await settler
        pumped = self._result(started, ended)
        if pumped.claimed:
            log.info("pump run ended", **pumped.summary())
        return pumped

    # --- claiming ---------------------------------------------------------------------------------------------------

    async def _claim_all(self, started: float) -> str:
        while True:
            if (reason := self._reason_to_end(started)) is not None:
                return reason
            room = self._limits.max_in_flight - len(self._calls)
            if room < self._limits.min_free_slots or self._queue.awaited > self._limits.max_in_flight:
                await self._queue.next_one()
                continue
            was_busy = self._queue.awaited > 0
            if await self._claim_chunk(min(room, self._limits.chunk)):
                continue
            if not was_busy:
                return "nothing due"
            # A subscription's next period becomes claimable when the one before it is settled, which may have happened
            # while we were asking.
            if self._queue.awaited > 0:
                await self._queue.next_written()

    def _reason_to_end(self, started: float) -> str | None:
        if self._stopping():
            return "told to stop"
        if self._monotonic() - started > self._limits.budget.total_seconds():
            return BUDGET_SPENT
        if self._not_sent_in_a_row >= MAX_CONSECUTIVE_FAILURES:
            return "gateway not reached"
        if self._conflicts_in_a_row >= MAX_CONSECUTIVE_FAILURES:
            return "claims conflict"
        return None

    async def _claim_chunk(self, limit: int) -> bool:
        """Claim up to `limit` charges and start their calls. Return False when nothing is due."""
        holds_lease = self._lease_check()
        try:
            attempts = await asyncio.to_thread(self._claim, limit)
        except WrongDatabase as error:
            log.error("nothing is charged", reason=str(error))  # noqa: TRY400 - a setting is wrong, not the code
            return False
        except ClaimConflict as conflict:
            log.warning("claim rolled back", reason=str(conflict))
            self._conflicts_in_a_row += 1
            return True  # others claim as well: look again
        except LimitExceeded as exceeded:
            log.error("a charge limit has stopped a channel", pg=exceeded.pg, reason=str(exceeded))  # noqa: TRY400 - as it should
            self._claimed.pop(exceeded.pg, None)  # nothing more of it is claimed until an operator has looked
            return True  # the other channels go on
        except SubscriptionLimitsExceeded as exceeded:
            reason = str(exceeded)[:500]
            log.error("a charge limit has stopped subscriptions", count=len(exceeded.reasons), reason=reason)  # noqa: TRY400
            return True  # all others go on
        self._conflicts_in_a_row = 0
        for pg, more in totals(attempts).items():
            self._claimed[pg] = self._claimed.get(pg, Total()) + more
        for attempt in attempts:
            call = asyncio.create_task(self._charge(attempt, holds_lease))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
        self._counts["claimed"] += len(attempts)
        self._queue.awaited += len(attempts)
        return bool(attempts)

    def _lease_check(self) -> LeaseCheck:
        """Return a predicate that is true while a claim made from now on may be sent, by every clock there is.

        The time starts before the database is asked when the lease starts. Monotonic clocks may stand still with a
        machine that is paused from outside; the wall clock may be set, and is when such a machine resumes.
        """
        started, wall_started, started_at = self._monotonic(), self._wall(), self._clock()
        within = self._limits.send_within

        def holds_lease() -> bool:
            return (
                self._monotonic() - started < within.total_seconds()
                and self._wall() - wall_started < within
                and self._clock() - started_at < within
            )

        return holds_lease

    def _claim(self, limit: int) -> list[Attempt]:
        return claim_within_limits(self._sessions, self._limits, self._claimed, limit=limit, clock=self._clock)

    async def _charge(self, attempt: Attempt, holds_lease: LeaseCheck) -> None:
        """Make one call. A worker that slept past its lease sends nothing: others may have looked the attempt up."""
        outcome: Outcome = Unknown(UnknownReason.ABANDONED)  # when the call ends in no other way, as on cancellation
        try:
            if holds_lease():
                outcome = await self._send(attempt, holds_lease)
            else:
                outcome = NotCharged(NotChargedReason.LEASE_OVER)
        except Exception:
            log.exception("the gateway raised", merchant_uid=attempt.request.merchant_uid)
        finally:
            not_sent = isinstance(outcome, NotCharged)
            self._not_sent_in_a_row = self._not_sent_in_a_row + 1 if not_sent else 0
            self._queue.add(attempt, outcome)

    async def _send(self, attempt: Attempt, holds_lease: LeaseCheck) -> Outcome:
        reason = await self._pre_send_check.reason_not_to_send(attempt)
        return reason or await self._gateway.charge(attempt.request, holds_lease=holds_lease)

    def _write_back(self, batch: list[Answered]) -> None:
        now = self._clock()
        settlements = [
            settle(attempt, outcome_of_answer(attempt, outcome), now=now, policy=self._policy)
            for attempt, outcome in batch
        ]
        write_back(self._sessions, settlements, now=now)
        self._counts.update(settlement.attempt_status.value for settlement in settlements)

    def _result(self, started: float, ended: str) -> PumpResult:
        counts = self._counts
        return PumpResult(
            claimed=counts["claimed"],
            paid=counts["paid"],
            declined=counts["declined"],
            not_charged=counts["not_charged"],
            unknown=counts["unknown"] + self._queue.lost,
            seconds=round(self._monotonic() - started, 3),
            ended=ended,
        )
