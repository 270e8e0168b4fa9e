"""The pump: claims due charges, charges them with many calls in flight, and settles the answers.

A claim commits the attempts and their idempotency keys before any request leaves (write-ahead). The database is used in
bulk and off the event loop; no transaction is open while PortOne is called.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog

from worker.charging.call_times import CallTimes
from worker.charging.calls import Calls
from worker.charging.charge_queues import queue_names, release_blocked
from worker.charging.lease_check import lease_check
from worker.charging.limited_claim import Claimed, claim_within_limits
from worker.charging.pump_result import PumpResult
from worker.charging.queue_walk import LOOK_AGAIN_SECONDS, QueueWalk
from worker.charging.run_limits import RunLimits
from worker.charging.write_back_queue import Answered, WriteBackQueue
from worker.config import tracing
from worker.database.engine import Sessions
from worker.domain.attempt import Attempt
from worker.domain.charge_limits import LimitExceeded, SubscriptionLimitsExceeded, Total, totals
from worker.domain.clock import Clock, elapsed_seconds, system_clock
from worker.domain.gateway import Gateway, LeaseCheck
from worker.domain.lookup_evidence import outcome_of_answer
from worker.domain.outcomes import NotCharged, NotChargedReason, Outcome, Unknown, UnknownReason
from worker.domain.retry_policy import RetryPolicy
from worker.domain.settlement import settle
from worker.ledger.claiming import ClaimConflict
from worker.ledger.database_identity import WrongDatabase
from worker.ledger.queues import Wanted
from worker.ledger.write_back import write_back
from worker.reconciliation.pre_send_check import PreSendCheck

MAX_CONSECUTIVE_FAILURES = 20
"""Circuit breaker: the run ends after this many calls in a row that failed before sending, or claim conflicts."""

BUDGET_SPENT = "time budget spent"  # why a run ended that could have gone on
NOTHING_DUE = "nothing due"  # why most runs end

SETTLE_SECONDS = 5.0
"""How long a run with nothing left to claim waits for the next answer."""

log = structlog.get_logger()


class Pump:
    """The pump of one worker process, for all its runs. Several processes claim at once, and skip each other's rows.

    A call that takes long outlives the run that made it: its slot and its write-back belong to the process.
    """

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
        self._sessions, self._gateway = sessions, gateway
        self._clock, self._limits = clock, limits
        self._policy, self._stopping = policy, stopping
        self._monotonic, self._wall = monotonic, wall
        self._pre_send_check = PreSendCheck(
            sessions=sessions, gateway=gateway, clock=clock, prefix=limits.prefix, rules=policy.rules
        )
        self._times = CallTimes(monotonic)
        self._queue = WriteBackQueue(
            self._write_back, self._times.forget, patience=limits.send_within, monotonic=monotonic
        )
        self._calls = Calls(
            self._charge, self._queue.add, max_in_flight=limits.max_in_flight, ahead=limits.chunk, monotonic=monotonic
        )
        self._settler: asyncio.Task[None] | None = None
        self._counts: Counter[str] = Counter()
        self._begin_run()

    async def run(self, tell_others: Callable[[], None] = lambda: None) -> PumpResult:
        """Charge until nothing is due, time is up or the worker is told to stop.

        Waits for the calls in flight, as long as answers come and the time is not up. `tell_others` is called once
        when more is due than this process has slots for.
        """
        self._begin_run()
        if problem := await self._gateway.ready():
            log.error("the gateway is not ready; nothing was claimed", reason=problem.answer.message)
            return self._result(f"gateway not ready: {problem.reason.value}")
        self._settle()
        ended = await self._claim_all(tell_others)
        if ended not in {BUDGET_SPENT, NOTHING_DUE}:
            await self._queue.drained()
        pumped = self._result(ended)
        if pumped.claimed:
            log.info("pump run ended", **pumped.summary())
        return pumped

    async def close(self) -> None:
        """Wait until the calls in flight have ended and are written back."""
        settler = self._settle()
        await self._queue.drained()
        settler.cancel()
        with suppress(asyncio.CancelledError):
            await settler

    def _settle(self) -> asyncio.Task[None]:
        """Let outcomes be written back from now on, as long as the loop runs."""
        if self._settler is None or self._settler.done():
            self._settler = asyncio.create_task(self._queue.write_all_back(), context=tracing.outliving())
        return self._settler

    @property
    def in_flight(self) -> int:
        """How many attempts are claimed whose outcome is not written back."""
        return self._queue.awaited

    def _begin_run(self) -> None:
        self._started = self._monotonic()
        self._counted_before = {**self._counts, "lost": self._queue.lost}
        self._walk = QueueWalk(monotonic=self._monotonic)
        self._claimed: dict[str, Total] = {}
        self._not_sent_in_a_row = self._conflicts_in_a_row = self._batches_seen = 0
        self._told: asyncio.Task[None] | None = None

    # --- claiming ---------------------------------------------------------------------------------------------------

    async def _claim_all(self, tell_others: Callable[[], None]) -> str:
        claimed = False  # nothing was asked for yet
        while True:
            if (reason := self._reason_to_end()) is not None:
                return reason
            if self._queue.unwritten > self._limits.max_in_flight:
                await self._queue.next_written(LOOK_AGAIN_SECONDS)  # the database is slower than PortOne
                continue
            if self._walk.needs_names:
                self._walk.learn(await asyncio.to_thread(queue_names, self._sessions))
            wanted = self._walk.wanted(self._calls.room, most=self._limits.chunk)
            if wanted or not claimed:
                claimed = True
                await self._claim_chunk(wanted)
            elif seconds := self._walk.seconds_to_wait:
                await self._queue.next_one(seconds)
            elif not self._walk.is_exhausted:
                if not self._told:
                    self._told = asyncio.create_task(asyncio.to_thread(tell_others))
                await self._queue.next_one(LOOK_AGAIN_SECONDS)
            elif (reason := await self._wait_for_more()) is not None:
                return reason

    async def _wait_for_more(self) -> str | None:
        """Wait for outcomes: a subscription's next period becomes claimable when the one before it is settled."""
        if not self._queue.awaited and self._queue.batches == self._batches_seen:
            await asyncio.to_thread(release_blocked, self._sessions, self._clock)
            return NOTHING_DUE
        patience = min(SETTLE_SECONDS, max(0.0, self._limits.budget.total_seconds() - self._seconds()))
        if self._queue.awaited and not await self._queue.next_written(patience):
            return NOTHING_DUE
        self._batches_seen = self._queue.batches
        self._walk.look_again()
        return None

    def _reason_to_end(self) -> str | None:
        if self._stopping():
            return "told to stop"
        if self._seconds() > self._limits.budget.total_seconds():
            return BUDGET_SPENT
        if self._not_sent_in_a_row >= MAX_CONSECUTIVE_FAILURES:
            return "gateway not reached"
        if self._conflicts_in_a_row >= MAX_CONSECUTIVE_FAILURES:
            return "claims conflict"
        return None

    def _seconds(self) -> float:
        return self._monotonic() - self._started

    async def _claim_chunk(self, wanted: Mapping[str, Wanted]) -> None:
        """Claim what is wanted of each queue, and start the calls."""
        holds_lease = lease_check(self._limits.send_within, self._monotonic, self._wall, self._clock)
        self._batches_seen = self._queue.batches
        try:
            with tracing.span("claim"):
                taken = await asyncio.to_thread(self._claim, wanted)
                tracing.note(attempts=len(taken.attempts))
        except WrongDatabase as error:
            log.error("nothing is charged", reason=str(error))  # noqa: TRY400 - a setting is wrong, not the code
            taken = Claimed(asked=wanted)
        except ClaimConflict as conflict:
            log.warning("claim rolled back", reason=str(conflict))
            self._conflicts_in_a_row += 1
            return  # others claim as well: look again
        except LimitExceeded as exceeded:
            log.error("a charge limit has stopped a channel", pg=exceeded.pg, reason=str(exceeded))  # noqa: TRY400 - as it should
            self._claimed.pop(exceeded.pg, None)  # nothing more of it is claimed until an operator has looked
            return  # the other channels go on
        except SubscriptionLimitsExceeded as exceeded:
            reason = str(exceeded)[:500]
            log.error("a charge limit has stopped subscriptions", count=len(exceeded.reasons), reason=reason)  # noqa: TRY400
            return  # all others go on
        self._conflicts_in_a_row = 0
        for pg, more in totals(taken.attempts).items():
            self._claimed[pg] = self._claimed.get(pg, Total()) + more
        self._walk.note(taken.asked, taken.attempts)
        self._walk.wait(taken.waits)
        self._counts["claimed"] += len(taken.attempts)
        self._queue.awaited += len(taken.attempts)
        self._calls.add(taken.attempts, holds_lease)

    def _claim(self, wanted: Mapping[str, Wanted] | None) -> Claimed:
        return claim_within_limits(self._sessions, self._limits, self._claimed, queues=wanted, clock=self._clock)

    async def _charge(self, attempt: Attempt, holds_lease: LeaseCheck) -> Outcome:
        """Make one call. A worker that slept past its lease sends nothing: others may have looked the attempt up."""
        outcome: Outcome = NotCharged(NotChargedReason.LEASE_OVER)
        try:
            if holds_lease():
                outcome = await self._send(attempt, holds_lease)
        except Exception:
            log.exception("the gateway raised", merchant_uid=attempt.request.merchant_uid)
            outcome = Unknown(UnknownReason.ABANDONED)
        not_sent = isinstance(outcome, NotCharged)
        self._not_sent_in_a_row = self._not_sent_in_a_row + 1 if not_sent else 0
        return outcome

    async def _send(self, attempt: Attempt, holds_lease: LeaseCheck) -> Outcome:
        reason = await self._pre_send_check.reason_not_to_send(attempt)
        call = self._gateway.charge
        return reason or await self._times.measured(attempt, call(attempt.request, holds_lease=holds_lease))

    def _write_back(self, batch: list[Answered]) -> None:
        now = self._clock()
        settlements = [
            settle(attempt, outcome_of_answer(attempt, outcome), now=now, policy=self._policy)
            for attempt, outcome in batch
        ]
        write_back(self._sessions, settlements, now=now, seconds=self._times.of(batch))
        self._counts.update(settlement.attempt_status.value for settlement in settlements)

    def _result(self, ended: str) -> PumpResult:
        counts = {**self._counts, "lost": self._queue.lost}
        return PumpResult.between(self._counted_before, counts, seconds=self._seconds(), ended=ended)
