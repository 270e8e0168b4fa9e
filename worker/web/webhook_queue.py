"""Bounded queue of webhook events, processed in the background.

A webhook only tells where to look, and the periodic look-ups find the same a little later. So events beyond the bound
are turned away rather than slowing the pages down, and nothing is lost by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context

import structlog

from worker.checkout import WebhookEvent
from worker.web.http.sampled_log import SampledLog

MAX_WAITING = 1000
CONCURRENCY = 4
"""Look-ups in flight at a time: a fraction of the database's connections, and of what PortOne bears."""

log = structlog.get_logger()


class WebhookQueue:
    """Accepts events without waiting, and has each looked up once."""

    def __init__(
        self,
        look_up: Callable[[WebhookEvent], Awaitable[None]],
        *,
        capacity: int = MAX_WAITING,
        concurrency: int = CONCURRENCY,
    ) -> None:
        self._look_up = look_up
        self._waiting: asyncio.Queue[WebhookEvent] = asyncio.Queue(capacity)
        self._known: set[WebhookEvent] = set()
        self._concurrency = concurrency
        self._tasks: list[asyncio.Task[None]] = []
        self.accepted = self.failed = 0
        self.turned_away = SampledLog("a webhook was turned away")

    def put(self, event: WebhookEvent) -> bool:
        """Queue an event; False when the queue is full. An event that waits already is accepted at no cost."""
        if event in self._known:
            return True
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            self.turned_away.count(waiting=self._waiting.qsize())
            return False
        self._known.add(event)
        self.accepted += 1
        self._start()
        return True

    def _start(self) -> None:
        """Start the workers with the first event: a host that mounts the pages may not tell them when it starts."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._work(), context=Context()) for _ in range(self._concurrency)]

    async def stop(self, *, patience: float = 5.0) -> None:
        """Process what waits, for at most `patience` seconds, and end the workers."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._waiting.join(), patience)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _work(self) -> None:
        while True:
            event = await self._waiting.get()
            self._known.discard(event)  # an equal event from here on may tell of something newer
            try:
                await self._look_up(event)
            except Exception:  # a defect with one event must not end the workers
                self.failed += 1
                log.exception("a webhook could not be looked up")
            finally:
                self._waiting.task_done()
