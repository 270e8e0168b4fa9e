"""The only place that reads the wall clock. Everything that decides takes `now` as an argument."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Say what time it is, as an aware instant in UTC."""
    return datetime.now(UTC)
