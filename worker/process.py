"""What one worker process keeps for its whole life: a Runtime, one event loop, one gateway. Made after the fork."""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from contextvars import copy_context
from multiprocessing.sharedctypes import RawValue
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from worker.domain.gateway import Gateway
    from worker.runtime import Runtime

T = TypeVar("T")

_stopping = RawValue(ctypes.c_bool, False)
"""Shared by the worker's main process, which SIGTERM reaches, and its children, which inherit it over the fork.

Without a lock: a signal may find its own process holding that, and so may `kill -9` a child.
"""


class Process:
    """The runtime of a worker's child process, with the event loop in which everything asynchronous of it runs."""

    def __init__(self, runtime: Runtime, close: Callable[[], None] | None = None) -> None:
        self.runtime = runtime
        self._close = close or runtime.close
        self._runner = asyncio.Runner()
        self._gateway: Gateway | None = None

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
        """Run work with this process's gateway, whose connections outlive the run.

        In a copy of the caller's context: the runner would keep that of its first run, and with it the name and id of
        its task in every line that is ever logged.
        """
        return self._runner.run(self._with_gateway(work), context=copy_context())

    async def _with_gateway(self, work: Callable[[Gateway], Coroutine[Any, Any, T]]) -> T:
        if self._gateway is None:
            self._gateway = self.runtime.gateway()
        return await work(self._gateway)

    def close(self) -> None:
        if self._gateway is not None:
            self._runner.run(self._gateway.aclose(), context=copy_context())
        self._runner.close()
        self._close()


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
