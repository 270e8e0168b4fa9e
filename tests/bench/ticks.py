"""What ticks with nothing due, invariants and look-ups cost in the database, among few subscriptions and among many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.bench.book import Book
from tests.bench.figures import AT_MOST, Chart, Curve, Figure, Measured
from tests.bench.servers import Bench, Database, printed

TITLE = "Ticks, invariants and look-ups"
FEW = 1_000  # subscriptions
INVARIANT_MS = 100.0
"""What one statement of the check may take; before it was incremental, each invariant was one."""

KINDS = {"ticks": ("a tick", 5.0), "commands": ("a look-up's statement", 10.0)}
"""What each kind is called, and how many milliseconds of the database each of it may take."""

SHOWN = 3
"""The most expensive of each kind that are shown by name."""


def measure(bench: Bench) -> Measured:
    """Measure each among few and among many subscriptions, all with a paid charge within the month."""
    with bench.portone() as url:
        with bench.database(parallel=False) as database:
            book = Book(database.engine)
            book.subscribe(FEW, history=True)
            book.analyse()
            few = _measured(bench, database, url)
        database, _ = bench.large()
        many = _measured(bench, database, url)
    return Measured(figures=tuple(_figures(few, many, bench.sizes.subscriptions)), charts=(_chart(few, many, bench),))


def _measured(bench: Bench, database: Database, url: str) -> dict[str, Any]:
    environment = bench.environment(database, portone_url=url, AGAIN_LOG_LEVEL="ERROR")
    return printed(("-m", "tests.bench.one_process", f"{FEW // 2:013d}"), environment)


def _figures(few: dict[str, Any], many: dict[str, Any], subscriptions: int) -> Iterator[Figure]:
    trip = many["round_trip"]
    yield Figure(name="a round trip", value=trip, unit="ms", note=f"SELECT 1; {subscriptions:,} subscriptions below")
    for kind, (name, aim) in KINDS.items():
        slowest = sorted(many[kind], key=lambda each: -many[kind][each])[:SHOWN]
        for place, each in enumerate(slowest):
            value, before = many[kind][each], few[kind][each]
            yield Figure(
                name=f"{name}, {('slowest', 'second', 'third')[place]}: {each}",
                value=value,
                unit="ms",
                aim=aim,
                bound=AT_MOST,
                note=f"{value / trip:.0f} round trips; among {FEW:,} {before:.1f} ms{_whole(kind, each, many)}",
            )
        yield Figure(
            name=f"all {len(many[kind])} of them together",
            value=sum(many[kind].values()),
            unit="ms",
            note=f"among {FEW:,} {sum(few[kind].values()):.1f} ms",
        )
    check, before = many["invariants"], few["invariants"]
    yield Figure(
        name="the check of the invariants: its slowest statement",
        value=check["slowest_ms"],
        unit="ms",
        aim=INVARIANT_MS,
        bound=AT_MOST,
        note=f"among {FEW:,} {before['slowest_ms']:.1f} ms",
    )
    yield Figure(
        name=f"all its {check['statements']:.0f} statements together",
        value=check["ms"],
        unit="ms",
        note=f"among {FEW:,} {before['ms']:.1f} ms",
    )
    yield Figure(
        name="the first tick of the pump after a silence",
        value=many["after_a_silence"],
        unit="ms",
        aim=5,
        bound=AT_MOST,
        note=f"among {FEW:,} {few['after_a_silence']:.1f} ms",
    )


def _whole(kind: str, name: str, measured: dict[str, Any]) -> str:
    """Return what a command costs with everything that is around its slowest statement."""
    return f"; the whole command {measured['whole_commands'][name]:.1f} ms" if kind == "commands" else ""


def _chart(few: dict[str, Any], many: dict[str, Any], bench: Bench) -> Chart:
    def points(kind: str) -> tuple[tuple[float, float], ...]:
        sizes = ((FEW, few[kind]), (bench.sizes.subscriptions, many[kind]))
        return tuple((rows, each.get("slowest_ms") or max(each.values())) for rows, each in sizes)

    return Chart(
        file="ticks-against-rows",
        title="Database time with nothing due: the slowest of each kind",
        x="subscriptions",
        y="milliseconds",
        curves=(
            *(Curve(name=name, points=points(kind)) for kind, (name, _) in KINDS.items()),
            Curve(name="a statement of the check", points=points("invariants")),
        ),
        logarithmic_x=True,
        logarithmic_y=True,
    )
