"""What people and scripts read: answers on standard output; notes, progress and complaints on standard error.

Everything goes through here, and so through `worker.config.terminal`: nothing that is shown can act on the terminal.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from worker.config.terminal import escaped, plain

WIDTH_IN_A_PIPE = 1000  # nothing is cut off where grep and awk read

Cell = str | Text


class PlainConsole(Console):
    """A console on which no text acts: whatever is rendered, rich's own codes apart, is plain."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(plain(segment.text), segment.style)


def output() -> Console:
    width = shutil.get_terminal_size((WIDTH_IN_A_PIPE, 0)).columns
    return PlainConsole(width=width, markup=False, highlight=False, emoji=False, soft_wrap=False)


def errors() -> Console:
    return PlainConsole(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)


def say(text: str) -> None:
    """Answer in a sentence."""
    output().print(Text(plain(text)))


def note(text: str, *, style: str = "dim") -> None:
    """Print a note to standard error, beside the answer."""
    errors().print(Text(plain(text), style))


def complain(text: str) -> None:
    """Print what went wrong to standard error, each line by itself."""
    for line in text.splitlines():
        errors().print(Text.assemble(("again: ", "bold red"), plain(line)))


def say_mode(*, live: bool) -> None:
    """Print whether real money moves; every command does, unless a script asked for JSON."""
    if live:
        note("LIVE: real money moves", style="bold red")
    else:
        note("sandbox: no real money moves")


def print_json(document: object) -> None:
    """Print one JSON document; instants are ISO 8601 in UTC, money is whole won."""
    print(escaped(json.dumps(document, default=_plain_value, ensure_ascii=False, indent=2)))


def table(*columns: str, rows: Iterable[Sequence[Cell]], right: Sequence[str] = (), whole: Sequence[str] = ()) -> None:
    """Print rows under a head. `right` names columns of numbers, `whole` those that must not be broken."""
    if not (rows := list(rows)):
        return note("there are none")
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        grid.add_column(name, justify="right" if name in right else "left", no_wrap=name in whole, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(plain(cell)) if isinstance(cell, str) else cell for cell in row))
    return output().print(grid)


def details(values: Mapping[str, Cell | None]) -> None:
    """Print names and values below each other; what is None is left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in values.items():
        if value is not None:
            grid.add_row(name, Text(plain(value)) if isinstance(value, str) else value)
    output().print(grid)


def head(text: str) -> None:
    """Print the title of a part."""
    output().print()
    output().print(Text(text, "bold"))


def ask(question: str) -> bool:
    """Ask the operator a yes-or-no question."""
    return typer.confirm(plain(question), err=True)


def is_conversation() -> bool:
    """Return whether an operator can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


@contextmanager
def live_line(text: str, *, shown: bool) -> Iterator[Callable[[str], None]]:
    """Show a line that changes; where nothing can change on the screen, each text is a line of its own."""
    console = errors()
    if not shown:
        yield lambda _: None
    elif not console.is_terminal:
        yield note
    else:
        with console.status(Text(text)) as status:
            yield lambda changed: status.update(Text(changed))


def _plain_value(value: object) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)
