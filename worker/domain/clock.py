"""The only place that reads the machine's clocks. Everything that decides takes `now` as an argument."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]

# CLOCK_MONOTONIC stands still while Linux is suspended; on macOS it goes on, and `time.monotonic` does not.
_COUNTS_WHILE_SUSPENDED = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


def system_clock() -> datetime:
    """Return the current time, as an aware instant in UTC. It may be wrong, and may be set at any moment."""
    return datetime.now(UTC)


def elapsed_seconds() -> float:
    """Return the seconds since an arbitrary instant: they are never set, and continue while the machine is suspended.

    Only differences mean anything, and only within one machine.
    """
    if _COUNTS_WHILE_SUSPENDED is None:
        return time.monotonic()
    return time.clock_gettime(_COUNTS_WHILE_SUSPENDED)
