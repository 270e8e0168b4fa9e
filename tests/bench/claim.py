"""What a claim of a hundred costs in the database as more is due: with statistics fresh, from before, and without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tests.bench.book import Book
from tests.bench.database_time import median_ms
from tests.bench.figures import AT_MOST, Chart, Curve, Figure, Measured
from tests.bench.servers import ACTOR, NO_LIMITS, Bench, Database
from worker.charging.limited_claim import claim_within_limits
from worker.charging.run_limits import run_limits
from worker.runtime import Runtime, open_runtime

TITLE = "Claims"
CLAIM = 100
ROUNDS = 5
FRESH, STALE, NONE = "fresh statistics", "statistics from before opening", "no statistics"
MOST_GROWTH = 3.0
"""How much more a claim may cost among a hundred or a thousand times as many: an index gets deeper, no more."""


def measure(bench: Bench) -> Measured:
    """Measure claims at each size, in a database in which every subscription has a paid charge and one that is due."""
    with bench.no_autovacuum():
        ms = {due: _at_size(bench, due) for due in bench.sizes.claim_due}
    return Measured(figures=tuple(_figures(ms)), charts=(_chart(ms),))


def _at_size(bench: Bench, due: int) -> dict[str, float]:
    with _filled(bench, due) as (database, book):
        ms = {STALE: _ms_per_claim(bench, database)}
        book.forget_statistics()
        ms[NONE] = _ms_per_claim(bench, database)
        book.analyse()
        ms[FRESH] = _ms_per_claim(bench, database)
    return ms


@contextmanager
def _filled(bench: Bench, due: int) -> Iterator[tuple[Database, Book]]:
    """Fill a database, analyse it, and only then let everything become due: so it is when a month ends."""
    if due == bench.sizes.subscriptions and bench.has_large:
        database, book = bench.large()
        book.make_due(bench.sizes.opening_due, due - bench.sizes.opening_due)
        yield database, book
        return
    with bench.database(parallel=False) as database:
        book = Book(database.engine)
        book.subscribe(due, history=True)
        book.analyse()
        book.make_due(0, due)
        yield database, book


def _ms_per_claim(bench: Bench, database: Database) -> float:
    settings = bench.settings(portone_url="http://127.0.0.1:1", **NO_LIMITS)
    with open_runtime(settings, actor=ACTOR, database_url=database.url, check=Runtime.sync_clock) as runtime:
        limits = replace(run_limits(settings, runtime.hold_policy), chunk=CLAIM)

        def claim() -> None:
            claimed = claim_within_limits(runtime.sessions, limits, {}, clock=runtime.clock).attempts
            if len(claimed) != CLAIM:
                raise SystemExit(f"a claim took {len(claimed)} of {CLAIM}: is charging held?")

        return median_ms(claim, rounds=ROUNDS)


def _figures(ms: dict[int, dict[str, float]]) -> Iterator[Figure]:
    smallest, largest = min(ms), max(ms)
    for statistics in (FRESH, STALE, NONE):
        few, many = ms[smallest][statistics], ms[largest][statistics]
        yield Figure(
            name=f"a claim among {largest:,}, of one among {smallest:,}: {statistics}",
            value=many / few,
            unit="times",
            aim=MOST_GROWTH,
            bound=AT_MOST,
            note=f"{few:.1f} ms and {many:.1f} ms of the database per {CLAIM}",
        )


def _chart(ms: dict[int, dict[str, float]]) -> Chart:
    return Chart(
        file="claim-against-rows",
        title=f"Database time of claiming {CLAIM} charges, against how many are due",
        x="due charges",
        y="milliseconds",
        curves=tuple(
            Curve(name=statistics, points=tuple((due, each[statistics]) for due, each in ms.items()))
            for statistics in (FRESH, STALE, NONE)
        ),
        logarithmic_x=True,
        logarithmic_y=True,
    )
