"""An event loop that is turned from outside, one callback at a time, on a clock that is moved from outside."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import Any

from tests.simulation.engine.faults import Crash

_Loop: Any = asyncio.AbstractEventLoop


class HandLoop(_Loop):  # type: ignore[misc] # as itself it would require forty methods that are not used here
    """One process's event loop, in asyncio's own order: what is ready, then the timers that are due, then again.

    Threads do not exist: what is handed to an executor runs in a turn of its own, from its beginning to its end.
    """

    def __init__(self, clock: Callable[[], float], *, crash: Callable[[], None]) -> None:
        self._clock = clock
        self._crash = crash
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[asyncio.TimerHandle] = []
        self._todo = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._buried = False
        self.troubles: list[dict[str, Any]] = []

    # --- turned from outside ----------------------------------------------------------------------------------------

    def has_work(self) -> bool:
        if self._ready:
            return True
        timer = self.next_timer()
        return timer is not None and timer <= self._clock()

    def next_timer(self) -> float | None:
        while self._timers and self._timers[0].cancelled():
            heapq.heappop(self._timers)
        return self._timers[0].when() if self._timers else None

    def turn(self) -> None:
        """Run one callback."""
        if not self._todo:
            while (timer := self.next_timer()) is not None and timer <= self._clock():
                self._ready.append(heapq.heappop(self._timers))
            self._todo = len(self._ready)
        handle = self._ready.popleft()
        self._todo -= 1
        if not handle.cancelled():
            asyncio._set_running_loop(self)
            try:
                handle._run()
            finally:
                asyncio._set_running_loop(None)

    def bury(self) -> None:
        """End every task of a process that has ended, once its effects are no longer observed."""
        self._buried = True
        while pending := [task for task in self._tasks if not task.done()]:
            for task in pending:
                task.cancel()
            while self._ready:
                self.turn()

    # --- what asyncio asks of a loop --------------------------------------------------------------------------------

    def time(self) -> float:
        return self._clock()

    def get_debug(self) -> bool:
        return False

    def is_closed(self) -> bool:
        return self._buried

    def is_running(self) -> bool:
        return True

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **named: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, **named)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._clock() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, handle)
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are left out when their turn comes."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self._buried:
            self.troubles.append(context)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        future = self.create_future()
        self.call_soon(self._do, future, partial(func, *args))
        return future

    def _do(self, future: asyncio.Future[Any], job: Callable[[], Any]) -> None:
        if future.done():
            return
        if self._buried:
            future.set_exception(RuntimeError("this process is over"))
            return
        try:
            result = job()
        except Crash:
            self._crash()  # and the future stays open for ever: no `finally` of a dead process runs
        except Exception as error:  # noqa: BLE001 - as a thread pool does
            future.set_exception(error)
        else:
            future.set_result(result)
