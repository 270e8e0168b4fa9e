"""Webhooks that wait to be looked up: a queue with an end, worked off in the background.

A webhook is only a hint: whatever it would have told, look-ups find as well, a little later. So when more come than can
be looked up, the rest is turned away instead of slowing the pages down, and nothing is lost by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass

import structlog

from worker.web.http.sampled_log import Tally

MOST_WAITING = 1000
AT_ONCE = 4
"""So many are looked up at the same time: a fraction of the database's connections, and of what PortOne bears."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Hint:
    """What a webhook says (documented). Equal ones that wait are one."""

    imp_uid: str
    merchant_uid: str
    status: str
    cancellation_id: str | None = None


class Hints:
    """Takes hints without waiting, and has each looked up once."""

    def __init__(
        self, look_up: Callable[[Hint], Awaitable[None]], *, room: int = MOST_WAITING, at_once: int = AT_ONCE
    ) -> None:
        self._look_up = look_up
        self._waiting: asyncio.Queue[Hint] = asyncio.Queue(room)
        self._known: set[Hint] = set()
        self._at_once = at_once
        self._tasks: list[asyncio.Task[None]] = []
        self.taken = self.failed = 0
        self.turned_away = Tally("a webhook was turned away")

    def take(self, hint: Hint) -> bool:
        """Queue a hint, or say that there is no room. One that waits already is taken again at no cost."""
        if hint in self._known:
            return True
        try:
            self._waiting.put_nowait(hint)
        except asyncio.QueueFull:
            self.turned_away.count(waiting=self._waiting.qsize())
            return False
        self._known.add(hint)
        self.taken += 1
        self._start()
        return True

    def _start(self) -> None:
        """Begin to work with the first hint: a host that mounts the pages may not tell them when it starts."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._work(), context=Context()) for _ in range(self._at_once)]

    async def stop(self, *, patience: float = 5.0) -> None:
        """Finish what waits, if that is soon done."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._waiting.join(), patience)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _work(self) -> None:
        while True:
            hint = await self._waiting.get()
            self._known.discard(hint)  # one that comes from here on may tell of something newer
            try:
                await self._look_up(hint)
            except Exception:  # one hint that cannot be looked up must not end the looking up of others
                self.failed += 1
                log.exception("a webhook could not be looked up")
            finally:
                self._waiting.task_done()
