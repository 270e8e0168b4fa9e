"""`again simulate`: a book through a year, by the code that charges, in about a minute."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli import console, simulate_output
from worker.cli.exits import ExitCode
from worker.cli.options import Json

if TYPE_CHECKING:
    from schedules.dunning import DunningCalendar
    from worker.simulation.book import Book
    from worker.simulation.figures import Year

FIRST_MONTH = "2027-01"
MOST_MONTHS = 36
MOST_YEARS = 6
"""Between this year and that of the first month: the sandbox's clock can be turned ten years ahead."""


def simulate(
    book: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A book in TOML: plans, subscriptions, customers' habits.")
    ] = None,
    subscriptions: Annotated[
        int | None, typer.Option(min=1, max=20_000, help="So many monthly subscriptions of usual customers instead.")
    ] = None,
    months: Annotated[int, typer.Option(min=1, max=MOST_MONTHS, help="How long.")] = 12,
    seed: Annotated[int, typer.Option(help="The same seed, the same customers: the same figures.")] = 1,
    start: Annotated[str, typer.Option(metavar="YYYY-MM", help="The first month.")] = FIRST_MONTH,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="DAYS DAYS", help="Two dunning calendars on the same book, such as 1,3,5,7 1,3,payday,payday."
        ),
    ] = None,
    chart: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it into a .png or .svg.")] = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the months as CSV.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Play a book of made-up customers through a year, and show what dunning recovers and what is lost.

    The code that charges runs in a database that is thrown away, against a sandbox of its own: no setting is read, and
    nothing that exists is touched. At the end every payment is compared with the sandbox's ledger.
    """
    from worker.simulation.chart import draw
    from worker.simulation.csv_file import write

    first = _first_month(start)
    books = _books(book, subscriptions, compare)
    _require_writable(chart, csv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # a closed terminal stops it as Ctrl-C does
    started = monotonic()
    try:
        years = [_played(each, months=months, seed=seed, start_on=first, shown=not as_json) for each in books]
    except KeyboardInterrupt:
        raise typer.Exit(128 + signal.SIGINT) from None
    said = simulate_output.title(books[0].subscriptions, years[0], seed=seed)
    if csv is not None:
        write(csv, years)
    if chart is not None:
        draw(chart, years, title=said)
    simulate_output.show(years, said, seconds=monotonic() - started, as_json=as_json)
    if not all(year.agrees for year in years):
        raise typer.Exit(ExitCode.REFUSED)


def _books(path: Path | None, subscriptions: int | None, compare: tuple[str, str] | None) -> Sequence[Book]:
    """Return the book, or one for each calendar that is compared. Raises Refused."""
    from worker.domain.errors import Refused
    from worker.simulation.book import usual_book
    from worker.simulation.book_file import read_book

    if path is not None and subscriptions is not None:
        raise Refused("Give --book or --subscriptions, not both: a book says how many subscriptions it has.")
    found = usual_book(subscriptions or 1000) if path is None else read_book(path)
    return [found] if compare is None else [found.with_dunning(_calendar(text)) for text in compare]


def _calendar(text: str) -> DunningCalendar:
    from schedules.dunning_text import parse_dunning
    from schedules.errors import InvalidTerm
    from worker.domain.errors import Refused

    try:
        return parse_dunning(text)
    except InvalidTerm as invalid:
        raise Refused(f"--compare has {text!r:.40}, which is no dunning calendar: {invalid.reason}.") from None


def _first_month(text: str) -> date:
    from worker.domain.clock import system_clock
    from worker.domain.errors import Refused

    this_year = system_clock().year
    try:
        first = datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007 - a month of the calendar
    except ValueError:
        first = date.min
    if abs(first.year - this_year) > MOST_YEARS:
        raise Refused(
            f"--start is {text!r:.40} but must be a month such as {FIRST_MONTH}, of a year from "
            f"{this_year - MOST_YEARS} to {this_year + MOST_YEARS}."
        )
    return first


def _require_writable(chart: Path | None, csv: Path | None) -> None:
    """Raise Refused for a file that could not be written at the end."""
    from worker.domain.errors import Refused
    from worker.simulation.chart import require_drawable

    if chart is not None:
        require_drawable(chart)
    for path in (chart, csv):
        if path is not None and not path.absolute().parent.is_dir():
            raise Refused(f"{path} cannot be written: there is no folder {path.absolute().parent}.")


def _played(book: Book, *, months: int, seed: int, start_on: date, shown: bool) -> Year:
    from worker.simulation.play import simulate as play
    from worker.simulation.stage import temporary_stage

    with _progress(months, start_on, shown=shown) as tell, temporary_stage() as stage:
        return play(stage, book, months=months, seed=seed, start_on=start_on, tell=tell)


@contextmanager
def _progress(months: int, start_on: date, *, shown: bool) -> Iterator[Callable[[datetime], None]]:
    """Show how far the simulated clock has come, on a terminal."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    errors = console.errors()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
        disable=not (shown and errors.is_terminal),
    )
    with bar:
        task = bar.add_task("starting a PostgreSQL and a sandbox", total=months * 30.44)

        def tell(at: datetime) -> None:
            bar.update(task, completed=(at.date() - start_on).days, description=f"{at:%Y-%m-%d}")

        yield tell
