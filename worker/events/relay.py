"""The relay: events are on their way to every destination, each with calls of its own.

A run starts what is not under way and returns at once: deliveries belong to the process, so an endpoint that hangs
occupies no worker process, and charging waits for none. Several processes relay at once, and skip each other's rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import asdict, dataclass
from typing import TypeVar

import structlog

from worker.config import tracing
from worker.database.engine import Sessions
from worker.domain.clock import Clock, elapsed_seconds
from worker.domain.events.destinations import Senders
from worker.events import destination_queries
from worker.events.drain import Drain

T = TypeVar("T")

DATABASE_THREADS = 2
"""Of their own, so that the pump's work with the database never waits for the relay's."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Relayed:
    """How many destinations are being delivered to, and what has come of calls since the last run."""

    destinations: int
    delivered: int
    failed: int

    def summary(self) -> dict[str, object]:
        return asdict(self)


class Relay:
    """The relay of one worker process, for all its runs. Belongs to one event loop."""

    def __init__(
        self,
        sessions: Sessions,
        senders: Senders,
        *,
        clock: Clock,
        stopping: Callable[[], bool],
        monotonic: Callable[[], float] = elapsed_seconds,
    ) -> None:
        self._sessions, self._senders, self._clock = sessions, senders, clock
        self._told_to_stop, self._monotonic = stopping, monotonic
        self._closing = False
        self._threads = ThreadPoolExecutor(DATABASE_THREADS, thread_name_prefix="again-relay")
        self._drains: dict[int, tuple[Drain, asyncio.Task[None]]] = {}
        self._delivered = self._failed = 0
        self._ended = (0, 0)  # what drains that have ended had delivered, and not

    async def run(self) -> Relayed:
        """Start delivering to every destination that something is due for; returns without waiting for an answer."""
        for destination in await self._in_database(self._with_work):
            if destination.id in self._drains:
                self._drains[destination.id][0].look()
                continue
            drain = Drain(
                destination,
                self._senders[destination.kind],
                sessions=self._sessions,
                in_database=self._in_database,
                clock=self._clock,
                stopping=self._stopping,
                monotonic=self._monotonic,
            )
            self._drains[destination.id] = (
                drain,
                asyncio.create_task(self._drain(destination.id, drain), context=tracing.outliving()),
            )
        delivered, failed = self._counted()
        relayed = Relayed(len(self._drains), delivered - self._delivered, failed - self._failed)
        self._delivered, self._failed = delivered, failed
        return relayed

    async def idle(self) -> None:
        """Wait until nothing is due, and nothing on its way."""
        while self._drains:
            await asyncio.gather(*(task for _, task in self._drains.values()))

    async def close(self) -> None:
        """Start no more calls, wait for those in flight, and close everything."""
        self._closing = True
        for drain, _ in self._drains.values():
            drain.look()
        await self.idle()
        for sender in self._senders.values():
            await sender.aclose()
        self._threads.shutdown()

    async def _drain(self, destination_id: int, drain: Drain) -> None:
        try:
            await drain.run()
        except Exception:
            log.exception("delivering has failed; the next run starts it again")
        finally:
            del self._drains[destination_id]
            self._ended = (self._ended[0] + drain.delivered, self._ended[1] + drain.failed)

    def _counted(self) -> tuple[int, int]:
        running = [drain for drain, _ in self._drains.values()]
        return (
            self._ended[0] + sum(each.delivered for each in running),
            self._ended[1] + sum(each.failed for each in running),
        )

    def _stopping(self) -> bool:
        return self._closing or self._told_to_stop()

    def _with_work(self) -> list[destination_queries.Destination]:
        with self._sessions() as session:
            return list(destination_queries.with_work(session, now=self._clock()))

    async def _in_database(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, work)
