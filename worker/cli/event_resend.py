"""`again events resend`: events are delivered once more."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from worker.cli import console
from worker.cli.options import Json

TIME = "2026-01-31T09:00"


def resend(
    event_id: Annotated[str, typer.Argument(metavar="[ID]", help="One event, as evt_...")] = "",
    since: Annotated[str, typer.Option(metavar="TIME", help=f"Those from {TIME} (in Seoul) on.")] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Those up to this time; without it, up to now.")] = "",
    types: Annotated[
        list[str], typer.Option("--type", help="Of a range, only this type; can be given more than once.")
    ] = [],  # noqa: B006 - typer's way to declare an option that is given any number of times
    to: Annotated[str | None, typer.Option(metavar="NAME", help="Only to this destination.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Deliver one event, or those of a range, once more, under the same ids, to every destination that wants them.

    What is queued already stays so.
    """
    from worker.cli.context import command_runtime
    from worker.domain.errors import Refused
    from worker.events import resending

    if bool(event_id) == bool(since) or (event_id and (until or types)):
        raise Refused("Give the ID of an event, or --since with --until or --type for a range.")
    start, end = (_instant(name, text) for name, text in (("--since", since), ("--until", until)))
    with command_runtime(as_json=as_json) as runtime:
        now = runtime.clock()
        if start is None:
            queued = resending.resend_one(runtime.sessions, event_id, destination=to, now=now)
        else:
            queued = resending.resend_range(
                runtime.sessions, since=start, until=end, types=types, destination=to, now=now
            )
    if as_json:
        console.print_json({"queued": queued})
    elif queued:
        console.say(f"Queued: {'1 delivery' if queued == 1 else f'{queued:,} deliveries'}.")
    else:
        console.say("Nothing was queued: no destination wants it, or it is queued already.")


def _instant(name: str, text: str) -> datetime | None:
    from schedules.plans import SEOUL
    from worker.domain.errors import Refused

    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        found = found if found.tzinfo is not None else found.replace(tzinfo=SEOUL)
        found.timestamp()
    except (ValueError, OverflowError):
        raise Refused(f"{name} {text!r:.60} must be a time such as {TIME}.") from None
    return found
