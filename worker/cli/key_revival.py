"""`again key revive`: keys that a mistaken refusal has killed, one or all of a suspension, previewed and asked for."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli import confirm, console, formats
from worker.cli.exits import ExitCode
from worker.cli.options import Json, read_key, read_reason

if TYPE_CHECKING:
    from worker.subscriptions.key_revival import Revival


def revive(
    key: Annotated[
        str,
        typer.Argument(metavar="[KEY]", help="Its id as #7, its customer_uid, or - to read it from standard input."),
    ] = "",
    reason: Annotated[
        str,
        typer.Option(
            "--reason", callback=read_reason, help="Why the decline was not the key's fault; recorded in the audit."
        ),
    ] = ...,  # type: ignore[assignment]
    killed_by: Annotated[
        str, typer.Option("--killed-by", help="Instead of KEY: all keys whose reason for dying contains this text.")
    ] = "",
    since: Annotated[
        str, typer.Option("--since", help="With --killed-by: only keys that died at 2026-01-31T09:00 (Seoul) or later.")
    ] = "",
    pg: Annotated[str, typer.Option(help="With --killed-by: only keys of this PG.")] = "",
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Make a dead billing key active again, and charge at once what waited for another key. Asks first."""
    from worker.cli.context import command_runtime
    from worker.domain.errors import Refused
    from worker.subscriptions import key_revival

    if bool(key) == bool(killed_by) or bool(killed_by) != bool(since):
        raise Refused("Give a KEY, or --killed-by with --since.")
    with command_runtime(as_json=as_json) as runtime:
        sessions, clock = runtime.sessions, runtime.clock
        ids = (
            [key_revival.dead_key(sessions, read_key(key))]
            if key
            else key_revival.killed_alike(sessions, killed_by=killed_by, since=_instant(since), pg=pg or None)
        )
        agreed = key_revival.preview(sessions, ids, clock=clock)
        if not yes:
            confirm.require(
                f"{_what(agreed)}. Revive?",
                unasked=_what(agreed),
                declined="Nothing was changed.",
            )
        done = key_revival.revive(sessions, agreed, reason=reason, clock=clock)
    if as_json:
        console.print_json(_document(done))
    else:
        console.say(_done(done))
    if done.left:
        console.complain(
            f"{formats.counted(len(done.left), 'key')} owed another sum by then and stayed dead: "
            f"{', '.join(f'#{each}' for each in done.left[:20])}. Run the command again."
        )
        raise typer.Exit(ExitCode.REFUSED)


def _what(agreed: Revival) -> str:
    total = agreed.total
    later = ""
    if total.waiting_charges:
        waiting = formats.owed(total.waiting_charges, total.waiting_amount)
        later = f"; {waiting} once subscriptions that are paused are resumed, and those that are held released"
    keys = formats.counted(len(agreed.keys), "billing key")
    return f"{formats.owed(total.charges, total.amount)} would be charged to {keys} at once{later}"


def _done(done: Revival) -> str:
    total = done.total
    keys = formats.counted(len(done.keys), "billing key")
    return (
        f"{keys} revived; {formats.owed(total.charges, total.amount)} {formats.is_or_are(total.charges)} charged now."
    )


def _document(done: Revival) -> dict[str, object]:
    total = done.total
    return {
        "revived": sorted(done.keys),
        "left": sorted(done.left),
        "charges": total.charges,
        "charged_now": total.amount,
        "waiting_charges": total.waiting_charges,
        "charged_later": total.waiting_amount,
    }


def _instant(text: str) -> datetime:
    from schedules.plans import SEOUL
    from worker.domain.errors import Refused

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"--since {text!r:.60} must be a time such as 2026-01-31T09:00.") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=SEOUL)
