"""How long a year takes: the usual book of `again simulate`, played through its months and compared with the ledger."""

from __future__ import annotations

from datetime import date
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from time import monotonic

from tests.bench.figures import AT_MOST, Figure, Measured
from tests.bench.servers import Bench
from worker.config.logs import log_errors_only
from worker.simulation.book import usual_book
from worker.simulation.play import simulate
from worker.simulation.stage import temporary_stage

TITLE = "A year in a minute"
AIM = 60.0  # seconds, of 1,000 subscriptions through 12 months


def measure(bench: Bench) -> Measured:
    """Play a year on servers of its own; they are started and removed within the time."""
    log_errors_only()
    subscriptions, months = bench.sizes.year
    started, cpu_before = monotonic(), _cpu_seconds()
    with temporary_stage() as stage:
        book = usual_book(subscriptions)
        year = simulate(stage, book, start_on=date(2027, 1, 1), months=months, seed=1, tell=lambda _: None)
    if not year.agrees:
        raise SystemExit(f"the simulated year does not agree: {year.discrepancies}, {year.violations}")
    what = f"{subscriptions:,} subscriptions, {months} months, {year.ledger.times:,} payments"
    return Measured(
        figures=(
            Figure(name="time", value=monotonic() - started, unit="s", aim=AIM, bound=AT_MOST, note=what),
            Figure(name="CPU", value=_cpu_seconds() - cpu_before, unit="s", note="worker, PostgreSQL and sandbox"),
        )
    )


def _cpu_seconds() -> float:
    """Return the CPU that this process and its children that have ended have used."""
    used = [getrusage(who) for who in (RUSAGE_SELF, RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
