"""Measure what `docs/performance.md` shows: `python -m tests.bench [PART ...] [--long] [--publish]`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from time import monotonic
from types import ModuleType

from rich.console import Console

from tests.bench import (
    catch_up,
    claim,
    events,
    fairness,
    gateway_call,
    machine,
    one_task_per_charge,
    opening,
    out_of_the_box,
    price_move,
    report,
    startup_cost,
    throughput,
    ticks,
    year,
)
from tests.bench.figures import PartResult
from tests.bench.servers import Bench, running_bench
from tests.bench.sizes import FORMS, Sizes

# What needs the large database follows one another, opening last: it leaves charges that are due.
PARTS: dict[str, ModuleType] = {
    "throughput": throughput,
    "events": events,
    "out_of_the_box": out_of_the_box,
    "fairness": fairness,
    "catch_up": catch_up,
    "gateway_call": gateway_call,
    "startup": startup_cost,
    "price_move": price_move,
    "year": year,
    "ticks": ticks,
    "opening": opening,
    "claim": claim,
    "one_task_per_charge": one_task_per_charge,
}
"""In the order in which they run."""

SHOWN = (
    "claim",
    "ticks",
    "fairness",
    "throughput",
    "events",
    "out_of_the_box",
    "opening",
    "price_move",
    "year",
    "catch_up",
    "startup",
    "gateway_call",
    "one_task_per_charge",
)
"""In the order in which the page shows them."""

console = Console() if sys.stdout.isatty() else Console(width=120)


def main() -> None:
    """Read the command line, and measure or publish."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"all by default: {' '.join(PARTS)}")
    forms = parser.add_mutually_exclusive_group()
    for form in FORMS:
        forms.add_argument(f"--{form}", dest="form", action="store_const", const=form)
    parser.add_argument("--rows", type=int, help="subscriptions of the large database")
    parser.add_argument("--into", type=Path, default=report.MEASURED, help="folder of results and charts")
    parser.add_argument("--publish", action="store_true", help="then write docs/performance.md")
    parser.add_argument("--measured", action="store_true", help="measure nothing; publish what runs have left")
    given = parser.parse_args()
    if unknown := set(given.parts) - PARTS.keys():
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    sizes = FORMS[given.form or "short"]
    if not given.measured:
        sizes = replace(sizes, subscriptions=given.rows or sizes.subscriptions)
        _measure(given.parts or _parts_of(sizes), sizes, given.into)
    if given.publish or given.measured:
        report.publish(SHOWN, given.into)
        console.print(f"written: {report.PAGE.relative_to(report.ROOT)}")


def _parts_of(sizes: Sizes) -> list[str]:
    """Return the parts of a form: the comparison with the obvious design takes longer than a short one has."""
    return [part for part in PARTS if part != "one_task_per_charge" or sizes.obvious_charges]


def _measure(parts: list[str], sizes: Sizes, folder: Path) -> None:
    started = monotonic()
    with running_bench(sizes) as bench:
        for part in PARTS:
            if part in parts:
                result = _part(part, bench)
                report.show(console, result)
                report.keep([result], folder)
    console.print(f"{monotonic() - started:.0f} s in all; results and charts: {folder}")


def _part(part: str, bench: Bench) -> PartResult:
    """Measure one part, and note the machine and its load around it."""
    module = PARTS[part]
    with bench.database() as database:
        where = machine.described(database.engine)
    started = monotonic()
    measured = module.measure(bench)
    return PartResult(
        part=part,
        title=module.TITLE,
        form=bench.sizes.form,
        figures=measured.figures,
        charts=measured.charts,
        machine={**where, "load_after": machine.load()},
        seconds=monotonic() - started,
    )


if __name__ == "__main__":
    main()
