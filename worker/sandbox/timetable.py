"""Trying schedules when their time has come, though nobody asks the sandbox for anything just then."""

from __future__ import annotations

import asyncio

from worker.sandbox import executing
from worker.sandbox.sandbox import Sandbox

LOOK_SECONDS = 0.5


class Timetable:
    """Looks at the schedules from time to time, on the server's event loop; every request looks too."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._looking = asyncio.create_task(self._look())

    async def stop(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with self._sandbox.ledger.transaction():
                executing.run_due(self._sandbox)
