"""Write-back queue of one worker process: persists outcomes in batches while other calls are in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from worker.config import tracing
from worker.domain.attempt import Attempt
from worker.domain.outcomes import Outcome

WRITE_BACK_ROWS = 500
"""Outcomes per transaction, at most."""

WORTH_WRITING = 200
"""Outcomes that are written back at once; fewer wait for more, as long as calls are in flight."""

GATHER_SECONDS = 0.2
"""How long they wait at most."""

RETRY_WRITE_BACK_SECONDS = 0.5
"""Between two tries while the database is away."""

Answered = tuple[Attempt, Outcome]

log = structlog.get_logger()


class WriteBackQueue:
    """Outcomes of one process that are not written back yet. Belongs to one event loop.

    `awaited` counts the attempts whose outcome is not in the database, calls in flight included; `lost` those whose
    outcome could not be written back: reconciliation looks them up.
    """

    def __init__(
        self,
        write_back: Callable[[list[Answered]], None],
        forget: Callable[[list[Answered]], None],
        *,
        patience: timedelta,
        monotonic: Callable[[], float],
    ) -> None:
        """Write outcomes back with `write_back`; `forget` is told of those that have left, written back or lost."""
        self._write_back = write_back
        self._forget = forget
        self._patience = patience
        self._monotonic = monotonic
        self._answered: list[Answered] = []
        self._origins: set[tracing.Origin] = set()
        self._wake = asyncio.Event()
        self._worth = asyncio.Event()
        self._answer_came = asyncio.Event()
        self._written = asyncio.Event()
        self.awaited = 0
        self.lost = 0
        self.batches = 0

    @property
    def unwritten(self) -> int:
        """How many outcomes wait to be written back."""
        return len(self._answered)

    def add(self, attempt: Attempt, outcome: Outcome) -> None:
        self._answered.append((attempt, outcome))
        if (origin := tracing.origin()) is not None:
            self._origins.add(origin)
        self._wake.set()
        self._answer_came.set()
        if self._is_worth_writing:
            self._worth.set()

    @property
    def _is_worth_writing(self) -> bool:
        return len(self._answered) >= min(WORTH_WRITING, self.awaited)

    async def next_one(self, patience: float) -> bool:
        """Wait until one more call has ended, or its outcome was written back; False when none has in `patience`."""
        return await _next(self._answer_came, patience)

    async def next_written(self, patience: float | None = None) -> bool:
        """Wait until another batch was written back; False when none was in `patience` seconds."""
        return await _next(self._written, patience)

    async def drained(self) -> None:
        """Wait until the calls in flight have ended and nothing is left to write back."""
        while self.awaited:
            await self.next_written()

    async def write_all_back(self) -> None:
        """Write back what is answered, in batches: one that is small waits for more, and for the one before it."""
        while True:
            await self._wake.wait()
            if not self._is_worth_writing:
                await _next(self._worth, GATHER_SECONDS)
            batch = self._answered[:WRITE_BACK_ROWS]
            del self._answered[:WRITE_BACK_ROWS]
            if not self._answered:
                self._wake.clear()
            if batch:
                origins, self._origins = self._origins, set()
                with tracing.span("write back", {"attempts": len(batch)}, origins=origins, root=True):
                    await self._write(batch)
                self._forget(batch)
                self.awaited -= len(batch)
            self.batches += 1
            self._answer_came.set()
            self._written.set()

    async def _write(self, batch: list[Answered]) -> None:
        """Write a batch back, trying again while the database is away.

        If it stays away, the outcomes are lost and the attempts stay `started`: reconciliation looks them up.
        """
        give_up_at = self._monotonic() + self._patience.total_seconds()
        while True:
            try:
                return await asyncio.to_thread(self._write_back, batch)
            except (OperationalError, InterfaceError) as error:
                if self._monotonic() > give_up_at:
                    return self._lose(batch, error)
                log.warning("write-back failed, trying again", attempts=len(batch), error=type(error.orig).__name__)
                await asyncio.sleep(RETRY_WRITE_BACK_SECONDS)
            except Exception as error:  # noqa: BLE001 - one answer that cannot be written must not lose the others
                if len(batch) == 1:
                    return self._lose(batch, error)
                for answered in batch:
                    await self._write([answered])
                return None

    def _lose(self, batch: list[Answered], error: Exception) -> None:
        log.error("answers not written back; reconciliation will look them up", attempts=len(batch), error=repr(error))
        self.lost += len(batch)


async def _next(event: asyncio.Event, patience: float | None) -> bool:
    """Wait for an event that is set from now on; none is missed, for nothing else runs between the check and this."""
    event.clear()
    try:
        async with asyncio.timeout(patience):
            await event.wait()
    except TimeoutError:
        return False
    return True
