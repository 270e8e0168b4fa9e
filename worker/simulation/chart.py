"""The months as a picture: stacked bars of what was charged, recovered and lost; below, the subscriptions that run.

It is drawn by matplotlib, of the extra `charts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from worker.domain.errors import Refused
from worker.simulation.figures import Month, Year

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = (".png", ".svg")

MILLION = 1_000_000

# Told apart by those who see no red or green, too (of Okabe and Ito).
CHARGED, RECOVERED, LOST, REFUNDED, RUNNING = "#0072B2", "#56B4E9", "#D55E00", "#E69F00", "#444444"


def require_drawable(path: Path) -> None:
    """Raise Refused for a picture that could not be drawn or written, before anything is simulated."""
    if path.suffix.lower() not in KINDS:
        raise Refused(f"{path} cannot be drawn: give a name that ends in {' or '.join(KINDS)}.")
    if find_spec("matplotlib") is None:
        raise Refused(
            "A chart is drawn by matplotlib, which is not installed: `pip install 'again-billing[charts]'`, or leave "
            "--chart out."
        )


def draw(path: Path, years: Sequence[Year], *, title: str) -> None:
    """Draw one year, or two beside each other on the same scale, into a file. Raises Refused when it cannot."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8 * len(years), 6.5), layout="constrained")
    figure.suptitle(title)
    grid = figure.subplots(2, len(years), sharex="col", sharey="row", height_ratios=(3, 1), squeeze=False)
    for place, year in enumerate(years):
        _draw_money(grid[0][place], year)
        _draw_running(grid[1][place], year.months, most=max(month.running for each in years for month in each.months))
    grid[0][0].set_ylabel("million won")
    grid[1][0].set_ylabel("subscriptions")
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}.") from None


def _draw_money(axes: Axes, year: Year) -> None:
    months = year.months
    names = [month.name for month in months]
    below = [0.0] * len(months)
    for label, color, amounts in (
        ("charged at the first try", CHARGED, [month.charged.won for month in months]),
        ("recovered by dunning", RECOVERED, [month.recovered.won for month in months]),
        ("lost", LOST, [month.lost.won for month in months]),
    ):
        heights = [won / MILLION for won in amounts]
        axes.bar(names, heights, bottom=below, label=label, color=color, width=0.7)
        below = [low + height for low, height in zip(below, heights, strict=True)]
    refunded = [-month.refunded.won / MILLION for month in months]
    axes.bar(names, refunded, label="refunded", color=REFUNDED, width=0.7)
    axes.axhline(0, color="black", linewidth=0.8)
    percent = year.recovery_percent
    recovered = "" if percent is None else f": {percent:.0f} % of what was declined is recovered"
    axes.set_title(f"dunning {year.dunning}{recovered}", fontsize="medium")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=4, frameon=False, fontsize="small")
    axes.margins(y=0.08)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_running(axes: Axes, months: Sequence[Month], *, most: int) -> None:
    names = [month.name for month in months]
    axes.plot(names, [month.running for month in months], color=RUNNING, marker="o", markersize=4)
    axes.set_ylim(0, max(1.1 * most, 1))
    axes.tick_params(axis="x", labelrotation=45)
    axes.spines[["top", "right"]].set_visible(False)
