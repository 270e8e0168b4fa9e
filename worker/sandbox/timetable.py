"""Executing due schedules even while no request arrives."""

from __future__ import annotations

import asyncio

from worker.sandbox import executing
from worker.sandbox.sandbox import Sandbox

LOOK_SECONDS = 0.5  # between two looks at the schedules


class Timetable:
    """Executes due schedules periodically on the server's event loop; every request does so too."""

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
