"""A worker that was asked to end does end, though a child of it or a lock hangs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Timer

import structlog

log = structlog.get_logger()

EXIT_CODE = 70
"""EX_SOFTWARE: a supervisor sees that it did not end in order."""


def exit_within(seconds: float, children: Callable[[], Iterable[int]]) -> Timer:
    """End this process and its children if it still runs after this many seconds.

    Asked for in the moment in which broker and database go away, Celery may wait for ever for a child that waits for
    it. What was in flight is looked up then, as after every other end that is not in order.
    """
    timer = Timer(seconds, _end, (seconds, children))
    timer.daemon = True
    timer.start()
    return timer


def _end(seconds: float, children: Callable[[], Iterable[int]]) -> None:
    log.critical("the worker did not end in time and is ended now", seconds=seconds)
    for pid in children():
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    os._exit(EXIT_CODE)
