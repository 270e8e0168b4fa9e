"""How long statements take, as the process that sends them sees it: all engines of this process, all threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from time import perf_counter
from typing import Any

from sqlalchemy import Engine, event


class DatabaseTime:
    """The time in milliseconds, and number, of the statements that were sent while it was recorded."""

    def __init__(self) -> None:
        self.ms = 0.0
        self.statements = 0
        self._started: dict[int, float] = {}

    def _before(self, _connection: Any, cursor: Any, *_: Any) -> None:
        self._started[id(cursor)] = perf_counter()

    def _after(self, _connection: Any, cursor: Any, *_: Any) -> None:
        self.ms += 1000 * (perf_counter() - self._started.pop(id(cursor)))
        self.statements += 1


@contextmanager
def recorded() -> Iterator[DatabaseTime]:
    """Record the statements of this process; connecting, COMMIT and ROLLBACK do not count."""
    time = DatabaseTime()
    event.listen(Engine, "before_cursor_execute", time._before)
    event.listen(Engine, "after_cursor_execute", time._after)
    try:
        yield time
    finally:
        event.remove(Engine, "before_cursor_execute", time._before)
        event.remove(Engine, "after_cursor_execute", time._after)


def median_ms(work: Callable[[], object], *, rounds: int, patience: float = 20) -> float:
    """Return the median database time of some rounds, after one to warm up; fewer once patience (seconds) is spent."""
    started = perf_counter()
    measured: list[float] = []
    for number in range(rounds + 1):
        with recorded() as time:
            work()
        if number or perf_counter() - started > patience:
            measured.append(time.ms)
        if perf_counter() - started > patience:
            break
    return median(measured)
