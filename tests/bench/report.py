"""Results as a table on the terminal, as JSON, and as the tables and charts of docs/performance.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.curves import drawn
from tests.bench.figures import Figure, PartResult

ROOT = Path(__file__).parents[2]
MEASURED = ROOT / ".bench"
"""Where a run leaves its results and charts; git ignores it."""

PAGE = ROOT / "docs" / "performance.md"
PUBLISHED = ROOT / "docs" / "performance"
RESULTS = "latest.json"
BEGIN, END = "<!-- figures: written by `make bench-publish` -->", "<!-- end of figures -->"


def show(console: Console, result: PartResult) -> None:
    """Print one part's figures, with aims beside them."""
    table = Table(title=f"{result.title} ({result.seconds:.0f} s)", title_justify="left", title_style="bold")
    table.add_column("what")
    for column in ("measured", "aim"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("note", style="dim")
    for figure in result.figures:
        style = {True: "green", False: "yellow", None: ""}[figure.is_met]
        table.add_row(
            figure.name, f"[{style}]{_value(figure)}[/]" if style else _value(figure), _aim(figure), figure.note
        )
    console.print(table)
    before, after = (result.machine[name][0] for name in ("load_before", "load_after"))
    console.print(f"load before {before}, after {after}, on {result.machine['cores']} cores\n", style="dim")


def keep(results: Iterable[PartResult], folder: Path) -> None:
    """Write results and charts, beside those of other parts that earlier runs have left."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {**kept_results(folder), **{result.part: result for result in results}}
    document = json.dumps({part: asdict(result) for part, result in kept.items()}, indent=1, ensure_ascii=False)
    (folder / RESULTS).write_text(document + "\n")
    for result in kept.values():
        for chart in result.charts:
            (folder / f"{chart.file}.svg").write_text(drawn(chart))


def kept_results(folder: Path) -> dict[str, PartResult]:
    """Return the results that a folder holds, by part."""
    if not (folder / RESULTS).exists():
        return {}
    kept = json.loads((folder / RESULTS).read_text())
    return {part: PartResult.read(result) for part, result in kept.items()}


def publish(order: Iterable[str], measured: Path) -> None:
    """Copy what a folder holds into the documents, and write the page's tables in this order of parts."""
    keep(kept_results(measured).values(), PUBLISHED)
    published = kept_results(PUBLISHED)
    PAGE.write_text(with_figures(PAGE.read_text(), [published[part] for part in order if part in published]))


def with_figures(page: str, results: Iterable[PartResult]) -> str:
    """Return the page with these results between its two markers: what has an aim first, then part by part."""
    shown = list(results)
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    sections = "".join(f"{section}\n" for section in [_aims(shown), *map(_section, shown)] if section)
    return f"{before}{BEGIN}\n\n{sections}{END}{after}"


def _aims(results: Iterable[PartResult]) -> str:
    """Return one table of everything that has an aim."""
    rows = [
        f"| {result.title} | {figure.name} | {_value(figure)} | {_aim(figure)} | {'yes' if figure.is_met else 'no'} |"
        for result in results
        for figure in result.figures
        if figure.aim is not None
    ]
    return "\n".join(["| part | what | measured | aim | met |", "|---|---|---:|---:|---|", *rows, ""]) if rows else ""


def _section(result: PartResult) -> str:
    rows = [
        f"| {figure.name} | {_value(figure)} | {_aim(figure) or '-'} | {figure.note or '-'} |"
        for figure in result.figures
    ]
    charts = [f"\n![{chart.title}](performance/{chart.file}.svg)\n" for chart in result.charts]
    head = f"### {result.title}\n\n{_circumstances(result.form, result.machine)}\n"
    return "\n".join([head, "| what | measured | aim | note |", "|---|---:|---:|---|", *rows, *charts, ""])


def _circumstances(form: str, machine: Mapping[str, object]) -> str:
    command = {"short": "make bench", "long": "make bench-long"}.get(form, f"python -m tests.bench --{form}")
    before, after = (machine[name][0] for name in ("load_before", "load_after"))  # type: ignore[index]
    return (
        f"{machine['date']}, commit {machine['commit']}, `{command}`: {machine['cores']} cores of "
        f"{machine['processor']}, "
        f"{machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']}, PostgreSQL "
        f"{machine['postgresql']}; load {before} before, {after} after."
    )


def _value(figure: Figure) -> str:
    value = figure.value
    shown = f"{value:,.0f}" if value == round(value) or abs(value) >= 100 else f"{value:.3g}"
    return f"{shown} {figure.unit}".strip()


def _aim(figure: Figure) -> str:
    if figure.aim is None:
        return ""
    return f"{'≥' if figure.bound == 'at least' else '≤'} {figure.aim:,g} {figure.unit}".strip()
