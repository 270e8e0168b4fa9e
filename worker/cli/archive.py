"""`again archive`: what was settled long ago leaves the rows that charging works with."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli import console
from worker.cli.options import Json, Reason

if TYPE_CHECKING:
    from worker.ledger.archive import Archivable


def archive(
    before: Annotated[str, typer.Option(metavar="YYYY-MM", help="What was settled before this month (UTC).")],
    reason: Reason = "no reason was given",
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how much that is.")] = False,
    as_json: Json = False,
) -> None:
    """Move PortOne's answers to old attempts into compressed blocks; `charge show` shows them as before.

    Safe beside running workers, and safe to interrupt and to repeat. New attempts take the space that it frees.
    """
    from worker.cli.context import command_runtime
    from worker.ledger import archive as archiving

    month, archived = _month(before), 0
    with command_runtime(as_json=as_json) as runtime:
        now = runtime.clock()
        if month > (newest := now - archiving.MIN_AGE):
            raise typer.BadParameter(f"only what is three months old is archived: give {newest:%Y-%m} or earlier")
        if dry_run:
            _say_how_much(archiving.archivable(runtime.sessions, month), as_json=as_json)
            return
        reason = f"settled before {before}; {reason}"
        with console.live_line("archiving", shown=not as_json) as show:
            for step in archiving.archive(runtime.sessions, before=month, reason=reason, now=now):
                archived = step.archived
                show(f"{100 * step.done // step.of} %: {archived:,} answers archived")
    if as_json:
        console.print_json({"archived": archived})
    else:
        console.say(f"{archived:,} answers were archived.")


def _say_how_much(waiting: Archivable, *, as_json: bool) -> None:
    if as_json:
        console.print_json(asdict(waiting))
    else:
        console.say(f"About {waiting.attempts:,} answers of {waiting.bytes:,} bytes would be archived.")


def _month(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        raise typer.BadParameter(f"{text!r:.40} is no month; give one as 2026-01") from None
