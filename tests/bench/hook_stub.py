"""An endpoint that answers webhooks after a fixed time and does nothing else but note when each event arrived."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from datetime import datetime
from time import time

from tests.bench.http_stub import Connection

LATENCY_SECONDS = 0.05


class Arrivals:
    """When events arrived, and how old they were: both in seconds."""

    def __init__(self) -> None:
        self.at: list[float] = []
        self.ages: list[float] = []

    def note(self, body: bytes) -> None:
        now = time()
        self.at.append(now)
        sent = json.loads(body).get("timestamp")
        if sent is not None:
            self.ages.append(now - datetime.fromisoformat(sent).timestamp())

    def report(self) -> dict[str, object]:
        """Return what has arrived since the last report."""
        at, ages = sorted(self.at), sorted(self.ages)
        self.at, self.ages = [], []
        return {"count": len(at), "seconds": at[-1] - at[0] if at else 0.0, "ages": ages}


class Hook(Connection):
    """A POST is an event, a GET asks for the report."""

    def __init__(self, arrivals: Arrivals, later: Callable[..., object], latency: float) -> None:
        super().__init__()
        self._arrivals, self._later, self._latency = arrivals, later, latency

    def received(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"get"):
            self.answer(json.dumps(self._arrivals.report()).encode())
        else:
            self._arrivals.note(body)
            self._later(self._latency, self.answer, b"")


async def serve(port: int, latency: float = LATENCY_SECONDS) -> None:
    loop = asyncio.get_running_loop()
    arrivals = Arrivals()
    server = await loop.create_server(lambda: Hook(arrivals, loop.call_later, latency), "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), *map(float, sys.argv[2:3])))
