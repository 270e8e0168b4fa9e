"""`again import`: many subscriptions from a CSV file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli import console, formats, import_notes
from worker.cli.options import AllowDuplicates, Json

if TYPE_CHECKING:
    from worker.subscriptions.csv_import.files import Progress

# Shown below the help of the command.
COLUMNS = (
    "Columns, in any order: customer_reference, plan, customer_uid, pg; and optionally label, channel_key, start_on, "
    "paid_until. Dates are written 2026-01-31.\n\n"
    "A billing key is created when its customer_uid is new. paid_until: another system has collected up to that day, "
    "and the first period starts on it. start_on then keeps the day of the month, such as 31 where paid_until is a "
    "28th.\n\n"
    "UTF-8, or CP949 as Korean Excel writes it; values separated by commas, semicolons or tabs."
)


def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", exists=True, dir_okay=False, readable=True)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every row, write nothing.")] = False,
    backdate: Annotated[
        bool, typer.Option("--backdate", help="Also charge every period since a start date in the past.")
    ] = False,
    allow_duplicates: AllowDuplicates = False,
    schedules: Annotated[
        bool, typer.Option(help="Ask PortOne whether it charges any of these keys on its own schedules.")
    ] = True,
    *,
    as_json: Json = False,
) -> None:
    """Import subscriptions and their billing keys: all rows of a file, or none if any is invalid."""
    from worker.cli.context import command_runtime
    from worker.subscriptions.csv_import.files import SEPARATORS, separator_of
    from worker.subscriptions.csv_import.service import import_subscriptions

    separator = separator_of(file)
    with command_runtime(as_json=as_json) as runtime:
        if separator != "," and not as_json:
            console.note(f"the values in {file} are separated by {SEPARATORS[separator]}")
        now = runtime.clock()
        scheduled = import_notes.open_schedules(runtime, now=now, quiet=as_json) if schedules else None
        with _progress(file, shown=not as_json) as progress:
            imported = import_subscriptions(
                runtime.sessions,
                file,
                max_amount=runtime.settings.max_amount,
                backdate=backdate,
                allow_duplicates=allow_duplicates,
                dry_run=dry_run,
                now=now,
                progress=progress,
                scheduled_uids=import_notes.customer_uids(scheduled),
            )
    added, notes = imported.added, import_notes.sentences(imported, scheduled)
    if as_json:
        console.print_json(
            {
                "rows": imported.rows,
                "dry_run": dry_run,
                "subscriptions": added.subscriptions if added else 0,
                "billing_keys": added.keys if added else 0,
                "due_now": added.due_now if added else 0,
                "first_charge_at": added.first_charge_at if added else None,
                "open_schedules": import_notes.counted(imported, scheduled),
                "notes": notes,
            }
        )
        return
    for note in notes:
        console.note(note, style="yellow")
    if added is None:
        console.say(f"{imported.rows:,} rows are good; nothing was written.")
    else:
        first = formats.local(added.first_charge_at, "Asia/Seoul")
        console.say(
            f"{added.subscriptions:,} subscriptions and {added.keys:,} billing keys added. "
            f"The first charge is due on {first}; {added.due_now:,} are due now."
        )


@contextmanager
def _progress(file: Path, *, shown: bool) -> Iterator[Progress]:
    """Show how far the file is read, on a terminal."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    errors = console.errors()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        console=errors,
        transient=True,
        disable=not (shown and errors.is_terminal),
    )
    size = file.stat().st_size
    with bar:
        task = bar.add_task("checking", total=size)

        def progress(read: int) -> None:
            bar.update(task, completed=read, description="writing" if read >= size else "checking")

        yield progress
