"""What a PG that hangs takes from one that answers: the rate of the healthy one beside it, and alone."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench import progress
from tests.bench.book import Book
from tests.bench.figures import Chart, Curve, Figure, Measured
from tests.bench.portone_stub import HANGING_SECONDS
from tests.bench.servers import NO_LIMITS, Bench
from worker.domain.clock import system_clock

TITLE = "Fairness"
PUMPS = 3
WINDOW = 200  # of each pump


@dataclass(frozen=True, slots=True)
class Variant:
    """Who is due beside the healthy PG's customers, and in which order."""

    name: str
    hanging: bool = True
    mixed: bool = False


ALONE = Variant("healthy PG alone", hanging=False)
VARIANTS = (
    ALONE,
    Variant("hanging ones mixed in", mixed=True),
    Variant("hanging ones due first"),
)


def measure(bench: Bench) -> Measured:
    """Charge the healthy PG's customers alone, then beside hanging ones; it is over once the healthy ones are done."""
    with bench.portone() as url:
        settled = {variant: _settled(bench, url, variant) for variant in VARIANTS}
    alone = progress.rate(settled[ALONE])
    figures = [Figure(name=ALONE.name, value=alone, unit="/s", note=f"{PUMPS} pumps of {WINDOW}")]
    for variant in VARIANTS[1:]:
        reached = progress.rate(settled[variant])
        whole = len(settled[variant]) == bench.sizes.fairness_due
        note = f"{reached:.0f}/s" + (
            "" if whole else f", {len(settled[variant])} of {bench.sizes.fairness_due} settled"
        )
        figures.append(Figure(name=f"{variant.name}: of the rate alone", value=reached / alone, aim=0.9, note=note))
    return Measured(figures=tuple(figures), charts=(_chart(settled),))


def _settled(bench: Bench, url: str, variant: Variant) -> list[float]:
    """Return when payments of the healthy PG were written back; with the patience as the end where some were not."""
    count = bench.sizes.fairness_due
    patience = bench.sizes.fairness_patience
    with bench.database() as database:
        book = Book(database.engine)
        first = book.subscribe(count, hanging=variant.hanging)
        healthy = book.subscribe(count) if variant.hanging else first
        book.make_due(first, 2 * count, mixed=variant.mixed)
        book.analyse()
        since = system_clock()
        environment = bench.environment(
            database, portone_url=url, **NO_LIMITS, AGAIN_MAX_IN_FLIGHT=str(WINDOW), AGAIN_LOG_LEVEL="WARNING"
        )
        with bench.workers(environment, children=PUMPS):
            bench.call("again.charge", times=PUMPS)
            done = progress.wait_until(
                lambda: progress.is_settled(database.engine, above=healthy, last=healthy + count), patience=patience
            )
        settled = list(progress.settled_seconds(database.engine, since, above=healthy, last=healthy + count))
    return settled if done or not settled else [*settled[:-1], max(patience, settled[-1])]


def _chart(settled: dict[Variant, list[float]]) -> Chart:
    curves = []
    for variant, seconds in settled.items():
        step = max(1, len(seconds) // 100)
        points = [(at, float(number)) for number, at in enumerate(seconds, start=1)][::step]
        curves.append(Curve(name=variant.name, points=((0.0, 0.0), *points)))
    return Chart(
        file="fairness",
        title=f"Charges of the healthy PG settled, beside one that hangs for {HANGING_SECONDS:g} s",
        x="seconds since the first claim",
        y="charges settled",
        curves=tuple(curves),
    )
