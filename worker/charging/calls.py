"""Calls of one worker process, of all its pump runs: what is claimed starts as soon as its PG has a free slot.

A few charges are claimed ahead of the slots, by the pace at which their PG has answered in the last seconds, so that no
slot waits for the database.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass

from worker.charging.pg_slots import PgSlots
from worker.config import tracing
from worker.domain.attempt import Attempt
from worker.domain.gateway import LeaseCheck
from worker.domain.outcomes import NotCharged, NotChargedReason, Outcome, Unknown, UnknownReason

AHEAD_SECONDS = 2.0
"""What was claimed ahead and has no slot by then is not sent: the PG hangs, or an operator may have stopped it."""

UNANSWERED = frozenset({UnknownReason.TIMEOUT})
"""The unknown outcomes that take slots from a PG: nothing came back in all the time there was."""

Call = Callable[[Attempt, LeaseCheck], Coroutine[None, None, Outcome]]
Ended = Callable[[Attempt, Outcome], None]


@dataclass(slots=True)
class _Pace:
    """Calls that have ended, by the second."""

    second: int = 0
    ended: int = 0
    before: int = 0

    def note(self, now: float) -> None:
        self._turn(now)
        self.ended += 1

    def per_second(self, now: float) -> int:
        self._turn(now)
        return max(self.before, self.ended)

    def _turn(self, now: float) -> None:
        second = int(now)
        if second != self.second:
            self.before = self.ended if second == self.second + 1 else 0
            self.second, self.ended = second, 0


class Calls:
    """Calls in flight, and attempts that are claimed and wait for a slot. Belongs to one event loop.

    `call` makes one call and never raises; `ended` is told of each outcome.
    """

    def __init__(
        self, call: Call, ended: Ended, *, max_in_flight: int, ahead: int, monotonic: Callable[[], float]
    ) -> None:
        self._call, self._ended = call, ended
        self._ahead = ahead
        self._monotonic = monotonic
        self._slots = PgSlots(max_in_flight)
        self._waiting: dict[str, deque[tuple[Attempt, LeaseCheck, Context]]] = {}
        self._paces: dict[str, _Pace] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def room(self, pg: str) -> int:
        """Return how many more charges of a PG to claim now; 0 for fewer than are worth the round trips."""
        pace = self._paces.get(pg)
        ahead = 0 if pace is None else min(self._ahead, pace.per_second(self._monotonic()) // 2)
        worth = max(1, ahead // 2 or min(self._ahead, self._slots.limit(pg) // 20))
        room = self._slots.free(pg) + ahead - len(self._waiting.get(pg, ()))
        return room if room >= worth else 0

    def add(self, attempts: Sequence[Attempt], holds_lease: LeaseCheck) -> None:
        """Start the calls of claimed attempts, and keep those that have no slot yet.

        Whatever makes room for a call, it belongs to the run that claimed it, in its lines and in its trace.
        """
        claimed_in = copy_context()
        for attempt in attempts:
            self._waiting.setdefault(attempt.request.pg, deque()).append((attempt, holds_lease, claimed_in))
        for pg in {attempt.request.pg for attempt in attempts}:
            self._start(pg)
        if any(self._waiting.values()):
            asyncio.get_running_loop().call_later(AHEAD_SECONDS, self._release, holds_lease)

    def _start(self, pg: str) -> None:
        waiting = self._waiting[pg]
        while waiting and self._slots.free(pg) > 0:
            self._slots.start(pg)
            attempt, holds_lease, claimed_in = waiting.popleft()
            task = asyncio.create_task(self._run(pg, attempt, holds_lease), context=claimed_in.copy())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _release(self, holds_lease: LeaseCheck) -> None:
        """Release what is left of one claim: it was not sent, and is claimed again later."""
        for pg, waiting in self._waiting.items():
            kept = deque(each for each in waiting if each[1] is not holds_lease)
            left = [attempt for attempt, lease, _ in waiting if lease is holds_lease]
            self._waiting[pg] = kept
            for attempt in left:
                self._ended(attempt, NotCharged(NotChargedReason.LEASE_OVER))

    async def _run(self, pg: str, attempt: Attempt, holds_lease: LeaseCheck) -> None:
        outcome: Outcome = Unknown(UnknownReason.ABANDONED)  # when the call ends in no other way, as on cancellation
        try:
            with tracing.span("call", {"pg": pg, "merchant_uid": attempt.request.merchant_uid}):
                outcome = await self._call(attempt, holds_lease)
                tracing.note(outcome=type(outcome).__name__)
        finally:
            answered = not (isinstance(outcome, Unknown) and outcome.reason in UNANSWERED)
            self._slots.end(pg, answered=answered)
            if answered:
                self._paces.setdefault(pg, _Pace()).note(self._monotonic())
            self._ended(attempt, outcome)
            self._start(pg)
