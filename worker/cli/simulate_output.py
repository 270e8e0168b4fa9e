"""What `again simulate` prints: the months, bars of them, two calendars beside each other, and the proof."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from worker.cli import console, formats

if TYPE_CHECKING:
    from worker.simulation.figures import Month, Year

WIDTH = 48
"""Characters of the longest bar."""

BARS = (("charged", "blue", "█"), ("recovered", "cyan", "▓"), ("lost", "red", "░"))
NUMBERS = ("CHARGED", "RECOVERED", "LOST", "REFUNDED", "LEFT", "DROPPED", "RUNNING")


def title(subscriptions: int, year: Year, *, seed: int) -> str:
    """Return what was simulated, in one line."""
    first, last = year.months[0].name, year.months[-1].name
    return f"{formats.counted(subscriptions, 'subscription')} from {first} to {last}, seed {seed}"


def show(years: Sequence[Year], said: str, *, seconds: float, as_json: bool) -> None:
    """Print all of it."""
    if as_json:
        console.print_json({"simulated": said, "seconds": round(seconds, 1), "years": [_json(year) for year in years]})
        return
    console.say(said)
    for year in years:
        console.head(f"Dunning {year.dunning}")
        _table(year)
        _bars(year.months, most=max(_height(month) for each in years for month in each.months))
    if len(years) > 1:
        _comparison(years)
    for year in years:
        _proof(year, alone=len(years) == 1)
    console.note(f"{formats.counted(len(years[0].months), 'month')} in {seconds:.0f} s")


def _table(year: Year) -> None:
    rows = [_row(month) for month in (*year.months, year.total)]
    console.table("MONTH", *NUMBERS, rows=rows, right=NUMBERS, whole=("MONTH", *NUMBERS))
    total = year.total
    console.say(f"{formats.money(total.kept)} were paid and not refunded.")
    if (percent := year.recovery_percent) is not None:
        console.say(
            f"Of {formats.money(total.recovered.won + total.lost.won)} that were declined at first, dunning recovered "
            f"{percent:.1f} %."
        )
    if year.still_owed.times:
        count = formats.counted(year.still_owed.times, "charge")
        console.say(f"{count}, {formats.money(year.still_owed.won)}, may still be paid after the last month.")
    if year.restarted:
        console.say(
            f"Declines stopped a PG {formats.counted(year.restarted, 'time')}; it was started again the next time "
            "customers acted, as by an operator."
        )


def _row(month: Month) -> tuple[str, ...]:
    won = (month.charged.won, month.recovered.won, month.lost.won, month.refunded.won)
    return (month.name, *(f"{each:,}" for each in (*won, month.canceled, month.dropped, month.running)))


def _height(month: Month) -> int:
    return month.paid + month.lost.won


def _bars(months: Sequence[Month], *, most: int) -> None:
    """Print a bar for each month: what was charged at the first try, recovered, and lost."""
    console.output().print()
    for month in months:
        line, at, drawn = Text(f"{month.name} "), 0, 0
        for name, color, block in BARS:
            at += getattr(month, name).won
            ends = round(WIDTH * at / most) if most else 0
            line.append(block * (ends - drawn), color)
            drawn = ends
        console.output().print(line)
    legend = Text(" " * 8)
    for name, color, block in BARS:
        legend.append(f"{block} ", color).append(f"{name}  ")
    console.output().print(legend)


COMPARED: Mapping[str, Callable[[Month], int]] = {
    "kept": lambda total: total.kept,
    "recovered": lambda total: total.recovered.won,
    "lost": lambda total: total.lost.won,
    "refunded": lambda total: total.refunded.won,
    "dropped": lambda total: total.dropped,
    "canceled": lambda total: total.canceled,
    "running at the end": lambda total: total.running,
}
"""What of the totals of two years stands beside each other."""


def _comparison(years: Sequence[Year]) -> None:
    console.head("Beside each other")
    first, second = (year.total for year in years)
    numbers = [(name, of(first), of(second)) for name, of in COMPARED.items()]
    rows = [
        (name, f"{one:,}", f"{other:,}", f"{other - one:+,}" if other != one else "0") for name, one, other in numbers
    ]
    rates = ["" if (percent := year.recovery_percent) is None else f"{percent:.1f} %" for year in years]
    heads = tuple(year.dunning for year in years)
    columns = (*heads, "DIFFERENCE")
    console.table("", *columns, rows=[*rows, ("recovery rate", *rates, "")], right=columns)


def _proof(year: Year, *, alone: bool) -> None:
    """Print whether the figures are those of the sandbox's ledger."""
    of = "" if alone else f" with dunning {year.dunning}"
    if year.agrees:
        console.say(
            f"The sandbox's own ledger agrees{of} to the won: "
            f"{formats.counted(year.ledger.times, 'payment')}, {formats.money(year.ledger.won)}; every invariant holds."
        )
        return
    if year.discrepancies:
        console.complain(f"The database and the sandbox's ledger differ{of}, which is a bug of Again:")
    for each in year.discrepancies:
        console.complain(each)
    if year.violations:
        console.complain(f"Invariants do not hold{of}: {', '.join(year.violations)}.")


def _json(year: Year) -> dict[str, object]:
    percent = year.recovery_percent
    return {
        "dunning": year.dunning,
        "months": [_month_json(month) for month in year.months],
        "total": _month_json(year.total),
        "recovery_percent": None if percent is None else round(percent, 1),
        "still_owed": {"charges": year.still_owed.times, "won": year.still_owed.won},
        "restarted": year.restarted,
        "ledger": {"payments": year.ledger.times, "won": year.ledger.won},
        "agrees": year.agrees,
        "discrepancies": list(year.discrepancies),
        "violations": list(year.violations),
    }


def _month_json(month: Month) -> dict[str, object]:
    sums = {name: getattr(month, name) for name in ("charged", "recovered", "lost", "refunded")}
    return {
        "month": month.name,
        **{name: {"times": each.times, "won": each.won} for name, each in sums.items()},
        "kept": month.kept,
        "canceled": month.canceled,
        "dropped": month.dropped,
        "running": month.running,
    }
