"""Settled charges per second against a bare client with as many calls in flight, and what a charge costs in CPU."""

from __future__ import annotations

import os
from dataclasses import dataclass
from statistics import median

from tests.bench import progress
from tests.bench.book import Book
from tests.bench.figures import AT_MOST, Chart, Curve, Figure, Measured
from tests.bench.machine import Usage
from tests.bench.servers import NO_LIMITS, Bench, Database, printed
from worker.domain.clock import system_clock

TITLE = "Throughput"
WINDOW = 1000
CHILDREN = 2  # of one Celery worker, each with its share of the window
PATIENCE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Round:
    """One run of the pump between two of the bare client, whose mean is its limit: a machine's speed drifts."""

    rate: float
    bare_rate: float
    bare_cpu_ms: float
    worker_cpu_ms: float
    postgres_cpu_ms: float
    pss_mib: float

    @property
    def ratio(self) -> float:
        return self.rate / self.bare_rate


def measure(bench: Bench) -> Measured:
    """Measure rounds at 1,000 calls in flight, and in the long form the curve against the window."""
    with bench.portone() as url:
        rounds = _rounds(bench, url, WINDOW, bench.sizes.throughput_charges, bench.sizes.rounds)
        curve = [
            (window, _rounds(bench, url, window, int(window * bench.sizes.window_seconds), 1)[0])
            for window in bench.sizes.windows
        ]
    return Measured(figures=tuple(_figures(rounds)), charts=tuple(_charts(curve)))


def _rounds(bench: Bench, url: str, window: int, charges: int, count: int) -> list[Round]:
    more = {**NO_LIMITS, "AGAIN_MAX_IN_FLIGHT": str(window // CHILDREN), "AGAIN_LOG_LEVEL": "WARNING"}
    with bench.database() as database:
        environment = bench.environment(database, portone_url=url, **more)
        book = Book(database.engine)
        with bench.workers(environment, children=CHILDREN) as (worker,):
            usage = Usage([worker.process.pid]), Usage([bench.postgres_pid])
            bare = _bare(url, window, charges)
            rounds = []
            for _ in range(count):
                pumped = pump(bench, database, book, usage, charges)
                after = _bare(url, window, charges)
                bare_mean = {name: (bare[name] + after[name]) / 2 for name in bare}
                rounds.append(Round(bare_rate=bare_mean["rate"], bare_cpu_ms=bare_mean["cpu_ms"], **pumped))
                bare = after
    return rounds


def _bare(url: str, window: int, charges: int) -> dict[str, float]:
    return printed(("-m", "tests.bench.bare_client", url, str(window), str(charges)), os.environ)


def pump(bench: Bench, database: Database, book: Book, usage: tuple[Usage, Usage], charges: int) -> dict[str, float]:
    """Charge so many subscriptions, and return the rate and what each part has used."""
    book.fill_due(charges)
    return charge(bench, database, usage, charges)


def charge(bench: Bench, database: Database, usage: tuple[Usage, Usage], charges: int) -> dict[str, float]:
    """Charge what is due, which are so many, and return the rate and what each part has used."""
    worker, postgres = usage
    since = system_clock()
    before = worker.cpu_seconds(), postgres.cpu_seconds()
    bench.call("again.charge", times=CHILDREN)
    done = progress.wait_until(
        lambda: progress.is_settled(database.engine), patience=PATIENCE_SECONDS, sample=worker.sample_memory
    )
    if not done:
        raise SystemExit(f"not all of {charges} charges were settled within {PATIENCE_SECONDS} s")
    return {
        "rate": progress.rate(progress.settled_seconds(database.engine, since)),
        "worker_cpu_ms": 1000 * (worker.cpu_seconds() - before[0]) / charges,
        "postgres_cpu_ms": 1000 * (postgres.cpu_seconds() - before[1]) / charges,
        "pss_mib": worker.peak_mib,
    }


def _figures(rounds: list[Round]) -> list[Figure]:
    def middle(name: str) -> float:
        return float(median(getattr(each, name) for each in rounds))

    return [
        Figure(
            name="settled, of the bare client's rate",
            value=middle("ratio"),
            aim=0.97,
            note=f"{WINDOW:,} in flight, answers after 1 s, median of {len(rounds)}: "
            + ", ".join(f"{each.ratio:.3f}" for each in rounds),
        ),
        Figure(name="settled", value=middle("rate"), unit="/s", note=f"bare client {middle('bare_rate'):.0f}/s"),
        Figure(
            name="worker CPU per charge",
            value=middle("worker_cpu_ms"),
            unit="ms",
            aim=0.6,
            bound=AT_MOST,
            note=f"bare client {middle('bare_cpu_ms'):.2f} ms",
        ),
        Figure(
            name="PostgreSQL CPU per charge",
            value=middle("postgres_cpu_ms"),
            unit="ms",
            aim=0.25,
            bound=AT_MOST,
            note="all its processes, background ones included",
        ),
        Figure(
            name="worker memory, peak", value=middle("pss_mib"), unit="MiB", note=f"PSS of {CHILDREN + 1} processes"
        ),
    ]


def _charts(curve: list[tuple[int, Round]]) -> list[Chart]:
    if not curve:
        return []
    return [
        Chart(
            file="rate-against-window",
            title="Charges settled per second against calls in flight (answers after 1 s)",
            x="calls in flight",
            y="per second",
            curves=(
                Curve(name="Again", points=tuple((window, each.rate) for window, each in curve)),
                Curve(name="bare client", points=tuple((window, each.bare_rate) for window, each in curve)),
                Curve(name="limit by latency", points=tuple((window, float(window)) for window, _ in curve)),
            ),
        )
    ]
