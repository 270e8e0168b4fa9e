"""An event loop on a thread of its own, for connections that must outlive the loops of their callers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from threading import Lock, Thread
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class BackgroundLoop:
    """Runs coroutines for callers in any loop of any thread, all in one loop, which starts with the first call.

    A connection belongs to the loop that made it. A synchronous host has a new loop for each call (asgiref's
    `async_to_sync`), so connections made there would be of no use to the next call and would never be closed.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = Lock()
        self._thread: Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    async def run(self, work: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a coroutine in the background loop and return its result; cancelling the caller cancels it."""
        loop = self._running()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(*args, **kwargs), loop))

    async def stop(self) -> None:
        """End the loop and its thread, once. What still runs there is cancelled, and it cannot be started again."""
        loop, thread, stopping = self._loop, self._thread, self._stopping
        if loop is None or thread is None or stopping is None or not thread.is_alive():
            return
        loop.call_soon_threadsafe(stopping.set)
        await asyncio.to_thread(thread.join)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._thread is None:
                started: Future[None] = Future()
                self._thread = Thread(target=self._live, args=(started,), name=self._name, daemon=True)
                self._thread.start()
                started.result()
            elif not self._thread.is_alive():
                raise RuntimeError(f"The {self._name} is closed, or was used before this process was forked from it.")
            assert self._loop is not None
            return self._loop

    def _live(self, started: Future[None]) -> None:
        asyncio.run(self._serve(started))

    async def _serve(self, started: Future[None]) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        started.set_result(None)
        await self._stopping.wait()
