"""What a user meets without setting anything: the worker and beat of `again up`, with default settings."""

from __future__ import annotations

from tests.bench import progress
from tests.bench.book import Book
from tests.bench.figures import Chart, Curve, Figure, Measured
from tests.bench.servers import Bench
from worker.config.settings import Settings
from worker.domain.clock import system_clock

TITLE = "Out of the box"
CHILDREN = 2
"""Processes of the worker that `again up` starts."""

LATENCY_SECONDS = 1.0
START_SECONDS = 40.0
"""How long beat may take for its first tick of the pump."""


def measure(bench: Bench) -> Measured:
    """Charge for so many seconds, and compare with the rate that the latency allows."""
    theoretical = CHILDREN * Settings().max_in_flight / LATENCY_SECONDS
    seconds = bench.sizes.out_of_the_box_seconds
    with bench.portone(latency=LATENCY_SECONDS) as url, bench.database() as database:
        book = Book(database.engine)
        book.fill_due(int(theoretical * (seconds + 5)))
        since = system_clock()
        environment = bench.environment(database, portone_url=url)
        beat = ("-m", "celery", "-A", "worker.app", "beat", "-l", "INFO")
        with bench.workers(environment, children=CHILDREN), bench.process("beat", beat, environment):
            progress.wait_until(
                lambda: bool(progress.settled_seconds(database.engine, since)), patience=START_SECONDS + seconds
            )
            progress.wait_until(lambda: False, patience=seconds)
        settled = progress.settled_seconds(database.engine, since)
    within = [at for at in settled if at <= seconds]
    share = len(within) / (theoretical * seconds)
    return Measured(
        figures=(
            Figure(
                name="settled, of the theoretical rate",
                value=share,
                aim=0.9,
                note=f"{len(within) / seconds:.0f} of {theoretical:.0f}/s in the {seconds:g} s from the first claim on",
            ),
        ),
        charts=(_chart(within, int(seconds), theoretical),),
    )


def _chart(settled: list[float], seconds: int, theoretical: float) -> Chart:
    counts = [sum(second <= at < second + 1 for at in settled) for second in range(seconds)]
    return Chart(
        file="out-of-the-box",
        title="Charges settled in each second, default settings and beat",
        x="seconds since the first claim",
        y="per second",
        curves=(
            Curve(name="Again", points=tuple((second + 1, float(count)) for second, count in enumerate(counts))),
            Curve(name="limit by latency", points=((1, theoretical), (seconds, theoretical))),
        ),
    )
