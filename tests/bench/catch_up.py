"""After an outage: whether the rate stays flat to the last charge, how workers share, and what they wait for."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from threading import Event, Thread
from time import sleep
from typing import Self

from sqlalchemy import Engine, text

from tests.bench import progress
from tests.bench.book import Book
from tests.bench.figures import AT_MOST, Chart, Curve, Figure, Measured
from tests.bench.servers import NO_LIMITS, Bench
from worker.devstack.stack import Part
from worker.domain.clock import system_clock

TITLE = "Catch-up"
WINDOW = 200  # of each worker's only pump
LATENCY_SECONDS = 0.2  # short, so that the last calls in flight are few and the rate is the workers' own
PARTS = 10
SAMPLE_SECONDS = 0.05
PATIENCE_SECONDS = 3600

_WAITING = text(
    "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - waitstart)), 0) FROM pg_locks WHERE NOT granted"
)
_DEADLOCKS = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")


@dataclass(frozen=True, slots=True)
class Run:
    """What so many workers did with everything that waited."""

    workers: int
    rates: tuple[float, ...]  # of each tenth of the run
    shares: tuple[float, ...]  # of each worker, 1 being an even share
    deadlocks: int
    longest_lock_wait: float  # in seconds


class LockWaits:
    """The longest time that any session waited for a lock, sampled meanwhile."""

    def __init__(self, engine: Engine) -> None:
        self.longest = 0.0
        self._engine, self._ended = engine, Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not self._ended.wait(SAMPLE_SECONDS):
                self.longest = max(self.longest, float(connection.scalar(_WAITING) or 0))


def measure(bench: Bench) -> Measured:
    """Let two workers, and in the long form four, charge everything that waits."""
    with bench.portone(latency=LATENCY_SECONDS) as url:
        runs = [_run(bench, url, workers) for workers in bench.sizes.catch_up_workers]
    return Measured(figures=tuple(figure for run in runs for figure in _figures(run)), charts=(_chart(runs),))


def _run(bench: Bench, url: str, workers: int) -> Run:
    with bench.database() as database:
        book = Book(database.engine)
        book.fill_due(bench.sizes.catch_up_charges)
        since = system_clock()
        environment = bench.environment(database, portone_url=url, **NO_LIMITS, AGAIN_MAX_IN_FLIGHT=str(WINDOW))
        with bench.workers(environment, count=workers, children=1) as parts, LockWaits(database.engine) as waits:
            bench.call("again.charge", times=workers)
            progress.wait_until(lambda: progress.is_settled(database.engine), patience=PATIENCE_SECONDS)
            for part in parts:
                part.process.terminate()  # and say what the last run has claimed
            for part in parts:
                part.stop()
            claimed = [_claimed(part) for part in parts]
        settled = progress.settled_seconds(database.engine, since)
        sleep(1)  # a backend hands in its statistics once a second
        with database.engine.connect() as connection:
            deadlocks = int(connection.scalar(_DEADLOCKS) or 0)
    even = sum(claimed) / workers or 1
    return Run(workers, tuple(_rates(settled)), tuple(each / even for each in claimed), deadlocks, waits.longest)


def _rates(settled: Sequence[float]) -> list[float]:
    """Return the rate of each tenth of the time from the first write-back to the last."""
    length = (settled[-1] - settled[0]) / PARTS
    ends = [bisect_right(settled, settled[0] + length * part) for part in range(1, PARTS)]
    return [(end - start) / length for start, end in pairwise([0, *ends, len(settled)])]


def _claimed(part: Part) -> int:
    """Return how many charges the runs of a worker have claimed, as its log says."""
    lines = [json.loads(line) for line in part.log.read_text().splitlines() if line.startswith("{")]
    return sum(line["claimed"] for line in lines if line.get("event") == "pump run ended")


def _figures(run: Run) -> list[Figure]:
    who = f"{run.workers} workers"
    return [
        Figure(
            name=f"{who}: last tenth, of the first's rate",
            value=run.rates[-1] / run.rates[0],
            aim=0.9,
            note=f"{run.rates[0]:.0f}/s and {run.rates[-1]:.0f}/s",
        ),
        Figure(
            name=f"{who}: smallest share, of an even one",
            value=min(run.shares),
            aim=0.9,
            note=", ".join(f"{share:.2f}" for share in run.shares),
        ),
        Figure(name=f"{who}: deadlocks", value=run.deadlocks, aim=0, bound=AT_MOST),
        Figure(name=f"{who}: longest wait for a lock", value=run.longest_lock_wait, unit="s", aim=1, bound=AT_MOST),
    ]


def _chart(runs: list[Run]) -> Chart:
    return Chart(
        file="catch-up",
        title="Catch-up: charges settled per second in each tenth of the run",
        x="part of the time, in %",
        y="per second",
        curves=tuple(
            Curve(
                name=f"{run.workers} workers",
                points=tuple((100 * (part + 1) / PARTS, rate) for part, rate in enumerate(run.rates)),
            )
            for run in runs
        ),
    )
