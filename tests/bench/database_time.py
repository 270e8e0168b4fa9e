"""How long the database works on the statements of this process, of all its engines and threads.

Where Linux tells, it is the CPU time of the server process, which other work on the machine does not change; elsewhere
it is the time that this process waits. A plan with parallel workers would hide their part: see `Bench.database`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from sqlalchemy import Engine, event


@dataclass(slots=True)
class DatabaseTime:
    """The milliseconds of each statement that was sent while it was recorded."""

    each_ms: list[float] = field(default_factory=list)
    _started: dict[int, float] = field(default_factory=dict)

    @property
    def ms(self) -> float:
        return sum(self.each_ms)

    @property
    def slowest_ms(self) -> float:
        return max(self.each_ms, default=0.0)

    def _before(self, _connection: Any, cursor: Any, *_: Any) -> None:
        self._started[id(cursor)] = _server_seconds(cursor)

    def _after(self, _connection: Any, cursor: Any, *_: Any) -> None:
        self.each_ms.append(1000 * (_server_seconds(cursor) - self._started.pop(id(cursor))))


def _server_seconds(cursor: Any) -> float:
    """Return the CPU time of the server process of a connection, in nanoseconds' resolution."""
    try:
        return int(Path(f"/proc/{cursor.connection.info.backend_pid}/schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return perf_counter()


@contextmanager
def recorded() -> Iterator[DatabaseTime]:
    """Record the statements of this process; connecting, COMMIT and ROLLBACK do not count."""
    time = DatabaseTime()
    listeners = (("before_cursor_execute", time._before), ("after_cursor_execute", time._after))
    for name, listener in listeners:
        event.listen(Engine, name, listener)
    try:
        yield time
    finally:
        for name, listener in listeners:
            event.remove(Engine, name, listener)


def rounds_of(work: Callable[[], object], *, rounds: int, patience: float = 20) -> list[DatabaseTime]:
    """Return the database time of some rounds, after one to warm up; fewer once patience (seconds) is spent."""
    started = perf_counter()
    measured: list[DatabaseTime] = []
    for _ in range(rounds + 1):
        with recorded() as time:
            work()
        measured.append(time)
        if perf_counter() - started > patience:
            break
    return measured[1:] or measured


def median_ms(work: Callable[[], object], *, rounds: int) -> float:
    """Return the median database time of some rounds."""
    return median(time.ms for time in rounds_of(work, rounds=rounds))
