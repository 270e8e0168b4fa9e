"""What one worker process keeps for its whole life: a Runtime, one event loop, one gateway, one pump.

The loop runs in a thread of its own, made after the fork: a call that takes a minute goes on while the process does its
next tasks.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import socket
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from multiprocessing.sharedctypes import RawValue
from threading import Thread
from typing import TYPE_CHECKING, Any, Self, TypeVar

import structlog

from worker.config import tracing
from worker.domain.clock import elapsed_seconds

if TYPE_CHECKING:
    from worker.charging.pump import Pump
    from worker.charging.pump_result import PumpResult
    from worker.domain.gateway import Gateway
    from worker.events.publishing import Published
    from worker.events.relay import Relay, Relayed
    from worker.runtime import Runtime

T = TypeVar("T")

PUBLISH_SECONDS = 5.0
"""In which one run of the relay writes events, before it lets other tasks of its process have their turn."""

RELAY_SECONDS = 1.0
"""Between two looks of the relay beside a pump run, as beat's ticks of it come."""

GC_ALLOCATIONS = 5000
"""Objects between two looks of the garbage collector; each charge makes some hundred, and leaves none behind."""

log = structlog.get_logger()

_stopping = RawValue(ctypes.c_bool, False)
"""Shared by the worker's main process, which SIGTERM reaches, and its children, which inherit it over the fork.

Without a lock: a signal may find its own process holding that, and so may `kill -9` a child.
"""


class Process:
    """The runtime of a worker's child process, with the event loop in which everything asynchronous of it runs."""

    def __init__(self, runtime: Runtime, close: Callable[[], None] | None = None) -> None:
        self.runtime = runtime
        self._close = close or runtime.close
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._gateway: Gateway | None = None
        self._pump: Pump | None = None
        self._relay: Relay | None = None

    @classmethod
    def open(cls) -> Self:
        """Open the runtime by the environment. Nothing is asked of the database: each task checks it itself."""
        from worker.database.engine import WORKER_ACTOR
        from worker.devstack.addresses import effective_settings, known_addresses
        from worker.runtime import open_runtime

        settings = effective_settings()
        database_url = known_addresses(settings).database_url
        actor = f"{WORKER_ACTOR}{socket.gethostname()}:{os.getpid()}"
        opened = ExitStack()
        runtime = opened.enter_context(
            open_runtime(settings, actor=actor, database_url=database_url, check=lambda _: None)
        )
        return cls(runtime, opened.close)

    def run(self, work: Callable[[Gateway], Coroutine[Any, Any, T]]) -> T:
        """Run work with this process's gateway, whose connections outlive the run, and return its result.

        In a copy of the caller's context: with it come the name and the id of the task into every line it logs.
        """
        return self._in_loop(self._with_gateway(work))

    def _in_loop(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._running_loop())
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def charge(self, tell_others: Callable[[], None] = lambda: None) -> PumpResult:
        """Run this process's pump once; `tell_others` is called when more is due than it has slots for."""
        return self.run(lambda gateway: self._charge(gateway, tell_others))

    def publish(self) -> Published:
        """Write the events of what has happened, and queue them for the destinations that there are by now."""
        from worker.events import kept_destinations
        from worker.events.notice_keeping import NoticeKeeper
        from worker.events.publishing import publish

        runtime, settings = self.runtime, self.runtime.settings
        until = elapsed_seconds() + PUBLISH_SECONDS
        kept = kept_destinations.of_settings(settings.events_task, settings.smtp_from, settings.alerts_to)
        kept_destinations.keep(runtime.sessions, kept, now=runtime.clock())
        return publish(
            runtime.sessions,
            stopping=lambda: is_stopping() or elapsed_seconds() > until,
            keeper=NoticeKeeper(runtime.clock, runtime.notice_policy.quiet),
        )

    def relay(self) -> Relayed:
        """Let this process's relay deliver what is due; returns at once, and deliveries go on."""
        return self._in_loop(self._relay_events())

    def wait_for_deliveries(self) -> None:
        """Wait until this process's relay has nothing on its way."""
        if self._relay is not None:
            self._in_loop(self._relay.idle())

    async def _relay_events(self) -> Relayed:
        from worker.events.relay import Relay

        if self._relay is None:
            runtime = self.runtime
            self._relay = Relay(runtime.sessions, runtime.senders(), clock=runtime.clock, stopping=is_stopping)
        return await self._relay.run()

    async def _with_gateway(self, work: Callable[[Gateway], Coroutine[Any, Any, T]]) -> T:
        if self._gateway is None:
            self._gateway = self.runtime.gateway()
        return await work(self._gateway)

    async def _charge(self, gateway: Gateway, tell_others: Callable[[], None]) -> PumpResult:
        from worker.charging.pump import Pump
        from worker.charging.run_limits import run_limits

        if self._pump is None:
            runtime = self.runtime
            self._pump = Pump(
                runtime.sessions,
                gateway,
                clock=runtime.clock,
                limits=run_limits(runtime.settings, runtime.hold_policy),
                policy=runtime.policy,
                stopping=is_stopping,
            )
            _settle_memory()
        beside = asyncio.create_task(self._relay_beside(), context=tracing.outliving())
        try:
            return await self._pump.run(tell_others)
        finally:
            beside.cancel()

    async def _relay_beside(self) -> None:
        """Relay every second of a pump run: every process may be in one, and none free for the tick of the relay."""
        while True:
            await asyncio.sleep(RELAY_SECONDS)
            try:
                await asyncio.to_thread(self.publish)
                await self._relay_events()
            except Exception as error:  # noqa: BLE001 - the tick meets it too, and says what it is
                log.warning("nothing is relayed beside the pump run", error=type(error).__name__)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = Thread(target=self._loop.run_forever, name="again-loop", daemon=True)
            self._thread.start()
        return self._loop

    def close(self) -> None:
        """Wait for the calls in flight, whose answers are written back, and close what was opened."""
        if self._loop is not None and self._thread is not None:
            asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._loop = None
        self._close()

    async def _finish(self) -> None:
        if self._pump is not None:
            await self._pump.close()
        if self._relay is not None:
            await self._relay.close()
        if self._gateway is not None:
            await self._gateway.aclose()
        await asyncio.get_running_loop().shutdown_default_executor()


def share_with_children() -> None:
    """Make ready in the parent, before it forks, what each child would make for itself; nothing that connects.

    Memory that a child does not write to is shared, and the garbage collector writes to every object that it looks at:
    what is there now it leaves alone from here on.
    """
    from sqlalchemy.orm import configure_mappers

    import worker.portone.adapter
    import worker.portone.client  # noqa: F401 - a runtime imports both when it first makes a gateway
    from worker.config.decline_packs import shipped_rules
    from worker.portone.transport import tls_context

    configure_mappers()
    shipped_rules()
    tls_context()
    gc.collect()
    gc.freeze()


def _settle_memory() -> None:
    """Keep the garbage collector from what the process has made to keep: that took a fifth of a charge's CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS, 10, 10)


_current: Process | None = None


def current() -> Process:
    """Return this process's Process, opened at the first call."""
    global _current  # noqa: PLW0603 - one per process is the point
    if _current is None:
        _current = Process.open()
    return _current


def forget() -> None:
    """Close what this process has opened, if anything."""
    global _current  # noqa: PLW0603
    if _current is not None:
        _current.close()
        _current = None


def stop_claiming() -> None:
    """Make every child of this worker claim nothing more; calls in flight finish and are settled."""
    _stopping.value = True


def is_stopping() -> bool:
    return bool(_stopping.value)
