"""The pump: claims due charges, charges them with many calls in flight, and settles what comes back.

Intent before effect: a claim commits the attempts and their merchant_uids, and only then does a request leave. The
database is worked in bulk and off the event loop; no transaction is open while PortOne is asked.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass

import structlog

from worker.charging.run_limits import Limits
from worker.charging.write_back_queue import Answered, Answers
from worker.database.engine import Sessions
from worker.domain.attempt import Attempt
from worker.domain.charge_limits import BY, CapExceeded, Guard, SubscriptionsExceed, Total, totals
from worker.domain.clock import Clock, elapsed_seconds, system_clock
from worker.domain.gateway import Gateway, StillOurs
from worker.domain.lookup_evidence import believed
from worker.domain.outcomes import NotCharged, NotChargedReason, Outcome, Unknown, UnknownReason
from worker.domain.retry_policy import RetryPolicy
from worker.domain.settlement import settle
from worker.ledger import stops, subscription_holds
from worker.ledger.claiming import ClaimConflict, claim, may_claim
from worker.ledger.database_identity import WrongDatabase
from worker.ledger.write_back import record
from worker.reconciliation.pre_send_check import EarlierAttempts

GIVE_UP_AFTER = 20
"""So many calls in a row that did not even leave, or claims that met others: more would only stir the rows."""

BUDGET_SPENT = "time budget spent"
"""How a run ends that could have gone on."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Pumped:
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
        limits: Limits,
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
        self._earlier = EarlierAttempts(sessions=sessions, gateway=gateway, clock=clock, prefix=limits.prefix)
        self._calls: set[asyncio.Task[None]] = set()
        self._answers = Answers(self._write_back, patience=limits.send_within, monotonic=monotonic)
        self._not_sent_in_a_row = 0
        self._conflicts_in_a_row = 0
        self._counts: Counter[str] = Counter()
        self._claimed: dict[str, Total] = {}

    async def run(self) -> Pumped:
        """Charge until nothing is due, the budget is spent, or the worker is told to stop; settle everything begun."""
        started = self._monotonic()
        if problem := await self._gateway.ready():
            log.error("the gateway is not ready; nothing was claimed", reason=problem.answer.message)
            return self._pumped(started, f"gateway not ready: {problem.reason.value}")
        settler = asyncio.create_task(self._answers.write_all_back())
        try:
            ended = await self._claim_all(started)
        finally:
            await self._answers.drained()
            settler.cancel()
            with suppress(asyncio.CancelledError):
                await settler
        pumped = self._pumped(started, ended)
        if pumped.claimed:
            log.info("pump run ended", **pumped.summary())
        return pumped

    # --- claiming ---------------------------------------------------------------------------------------------------

    async def _claim_all(self, started: float) -> str:
        while True:
            if (reason := self._reason_to_end(started)) is not None:
                return reason
            room = self._limits.window - len(self._calls)
            if room < self._limits.least_room or self._answers.awaited > self._limits.window:
                await self._answers.next_one()
                continue
            was_busy = self._answers.awaited > 0
            if await self._claim_chunk(min(room, self._limits.chunk)):
                continue
            if not was_busy:
                return "nothing due"
            # A subscription's next period becomes claimable when the one before it is settled, which may have happened
            # while we were asking.
            if self._answers.awaited > 0:
                await self._answers.next_written()

    def _reason_to_end(self, started: float) -> str | None:
        if self._stopping():
            return "told to stop"
        if self._monotonic() - started > self._limits.budget.total_seconds():
            return BUDGET_SPENT
        if self._not_sent_in_a_row >= GIVE_UP_AFTER:
            return "gateway not reached"
        if self._conflicts_in_a_row >= GIVE_UP_AFTER:
            return "claims conflict"
        return None

    async def _claim_chunk(self, limit: int) -> int:
        still_ours = self._term()
        try:
            attempts = await asyncio.to_thread(self._claim, limit)
        except WrongDatabase as error:
            log.error("nothing is charged", reason=str(error))  # noqa: TRY400 - a setting is wrong, not the code
            return 0
        except ClaimConflict as conflict:
            log.warning("claim rolled back", reason=str(conflict))
            self._conflicts_in_a_row += 1
            return 1  # not "nothing due": look again
        except CapExceeded as exceeded:
            log.error("a cap has stopped a channel", pg=exceeded.pg, reason=str(exceeded))  # noqa: TRY400 - as it should
            self._claimed.pop(exceeded.pg, None)  # nothing more of it is claimed, until a person has looked
            return 1  # the other channels go on
        except SubscriptionsExceed as exceeded:
            log.error("a cap has stopped subscriptions", count=len(exceeded.reasons), reason=str(exceeded)[:500])  # noqa: TRY400
            return 1  # all others go on
        self._conflicts_in_a_row = 0
        for pg, more in totals(attempts).items():
            self._claimed[pg] = self._claimed.get(pg, Total()) + more
        for attempt in attempts:
            call = asyncio.create_task(self._charge(attempt, still_ours))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
        self._counts["claimed"] += len(attempts)
        self._answers.awaited += len(attempts)
        return len(attempts)

    def _term(self) -> StillOurs:
        """Start the time in which what is claimed from now on may be sent, by every clock there is.

        It begins before the database is asked for the lease's beginning. Those that nobody sets may stand still with a
        machine that is paused from outside; the wall clock may be set, and is when such a machine goes on.
        """
        started, wall_started, started_at = self._monotonic(), self._wall(), self._clock()
        within = self._limits.send_within

        def still_ours() -> bool:
            return (
                self._monotonic() - started < within.total_seconds()
                and self._wall() - wall_started < within
                and self._clock() - started_at < within
            )

        return still_ours

    def _claim(self, limit: int) -> list[Attempt]:
        limits = self._limits
        try:
            with self._sessions.begin() as session:
                now = may_claim(session, self._clock, limits.watch)
                if now is None:
                    return []
                return claim(
                    session,
                    now=now,
                    limit=limit,
                    lease=limits.lease,
                    prefix=limits.prefix,
                    guard=None if limits.caps is None else Guard(limits.caps, self._claimed),
                )
        except CapExceeded as exceeded:
            with self._sessions.begin() as session:
                stops.stop(session, scope=exceeded.pg, reason=str(exceeded), stopped_by=BY, now=self._clock())
            raise
        except SubscriptionsExceed as exceeded:
            with self._sessions.begin() as session:
                subscription_holds.hold(session, exceeded.reasons, by=BY, now=self._clock())
            raise

    async def _charge(self, attempt: Attempt, still_ours: StillOurs) -> None:
        """One call. A worker that slept past its turn sends nothing: by now others may have looked the attempt up."""
        outcome: Outcome = Unknown(UnknownReason.ABANDONED)  # should the call end in no other way, as when canceled
        try:
            if still_ours():
                outcome = await self._send(attempt, still_ours)
            else:
                outcome = NotCharged(NotChargedReason.LEASE_OVER)
        except Exception:
            log.exception("the gateway raised", merchant_uid=attempt.request.merchant_uid)
        finally:
            not_sent = isinstance(outcome, NotCharged)
            self._not_sent_in_a_row = self._not_sent_in_a_row + 1 if not_sent else 0
            self._answers.add(attempt, outcome)

    async def _send(self, attempt: Attempt, still_ours: StillOurs) -> Outcome:
        reason = await self._earlier.reason_not_to_send(attempt)
        return reason or await self._gateway.charge(attempt.request, still_ours=still_ours)

    def _write_back(self, batch: list[Answered]) -> None:
        now = self._clock()
        settlements = [
            settle(attempt, believed(attempt, outcome), now=now, policy=self._policy) for attempt, outcome in batch
        ]
        record(self._sessions, settlements, now=now)
        self._counts.update(settlement.attempt_status.value for settlement in settlements)

    def _pumped(self, started: float, ended: str) -> Pumped:
        counts = self._counts
        return Pumped(
            claimed=counts["claimed"],
            paid=counts["paid"],
            declined=counts["declined"],
            not_charged=counts["not_charged"],
            unknown=counts["unknown"] + self._answers.lost,
            seconds=round(self._monotonic() - started, 3),
            ended=ended,
        )
