"""`again events`: what Again has told others, or is about to."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli import console, formats
from worker.cli.event_resend import resend
from worker.cli.options import Json, Limit
from worker.domain.events.types import EventType

if TYPE_CHECKING:
    from worker.events.queries import Event, Wanted

app = typer.Typer(help="Events: what Again tells others of its changes of state.", no_args_is_help=True)

POLL_SECONDS = 1.0
KOREA = "Asia/Seoul"

Types = Annotated[list[EventType], typer.Option("--type", help="Only this type; can be given more than once.")]
OfSubscription = Annotated[str | None, typer.Option("--subscription", metavar="CODE", help="Only this subscription.")]


@app.command("list")
def list_events(
    types: Types = [],  # noqa: B006 - typer's way to declare an option that is given any number of times
    subscription: OfSubscription = None,
    limit: Limit = 50,
    *,
    as_json: Json = False,
) -> None:
    """List the newest events, the newest last."""
    from worker.cli.context import command_runtime
    from worker.events import queries
    from worker.ledger import outbox

    with command_runtime(as_json=as_json) as runtime, runtime.sessions() as session:
        events = queries.newest(session, _wanted(types, subscription), limit=limit)
        unpublished = outbox.waiting(session, most=1000)
    if as_json:
        console.print_json([asdict(event) for event in events])
        return
    _print(events)
    if unpublished:
        console.note(f"{formats.counted(unpublished, 'change')} of state not published yet: the relay does that.")


@app.command("show")
def show(
    event_id: Annotated[str, typer.Argument(metavar="ID", help="The event's id, as evt_...")], *, as_json: Json = False
) -> None:
    """Show an event with all that it says."""
    from worker.cli.context import command_runtime
    from worker.domain.errors import Refused
    from worker.events import queries

    with command_runtime(as_json=as_json) as runtime, runtime.sessions() as session:
        event = queries.by_id(session, event_id)
    if event is None:
        raise Refused(f"There is no event {event_id!r:.40}, or it is older than events are kept: `again events list`.")
    if as_json:
        console.print_json(asdict(event))
        return
    console.head(f"{event.type} {event.id}")
    console.details(
        {"at": formats.local(event.at, KOREA), "position": str(event.position), "version": str(event.version)}
    )
    console.say(json.dumps(event.data, indent=2, ensure_ascii=False))


@app.command("tail")
def tail(
    types: Types = [],  # noqa: B006
    subscription: OfSubscription = None,
    after: Annotated[int | None, typer.Option(min=0, help="Begin after this position instead of now.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document per line.")] = False,
) -> None:
    """Print events as they are published, until Ctrl-C."""
    from worker.cli.context import command_runtime
    from worker.events import queries

    with command_runtime(as_json=as_json) as runtime:
        wanted = _wanted(types, subscription)
        with runtime.sessions() as session:
            position = queries.last_position(session) if after is None else after
        while True:
            with runtime.sessions() as session:
                events = queries.after(session, position, wanted, limit=500)
            for event in events:
                console.output().out(json.dumps(asdict(event), default=str) if as_json else _line(event))
            position = events[-1].position if events else position
            if len(events) < 500:
                time.sleep(POLL_SECONDS)


@app.command("prune")
def prune(
    older_than: Annotated[int, typer.Option("--older-than", min=1, max=3650, metavar="DAYS", help="Days to keep.")],
    *,
    as_json: Json = False,
) -> None:
    """Delete the events that are older than some days. What was not delivered yet is kept."""
    from worker.cli.context import command_runtime
    from worker.events.pruning import prune_events

    with command_runtime(as_json=as_json) as runtime:
        before = runtime.clock() - timedelta(days=older_than)
        with console.live_line("", shown=not as_json and console.is_conversation()) as update:
            deleted = prune_events(
                runtime.sessions, before=before, progress=lambda count: update(f"{count:,} events deleted ...")
            )
    if as_json:
        console.print_json({"deleted": deleted, "before": before})
    else:
        console.say(f"{formats.counted(deleted, 'event')} from before {formats.local(before, KOREA)} deleted.")


app.command("resend")(resend)


def _wanted(types: Sequence[EventType], subscription: str | None) -> Wanted:
    from worker.domain.identifiers import read_code
    from worker.events.queries import Wanted

    return Wanted(types=types, subscription=None if subscription is None else read_code(subscription))


def _print(events: Sequence[Event]) -> None:
    rows = [(formats.local(event.at, KOREA), event.type.value, _subject(event.data), event.id) for event in events]
    console.table("AT", "TYPE", "ABOUT", "ID", rows=rows, whole=("AT", "TYPE", "ID"))


def _line(event: Event) -> str:
    return f"{formats.local(event.at, KOREA)}  {event.type:<28} {_subject(event.data)}  {event.id}"


def _subject(data: Any) -> str:
    """Return what an event is about, in a few words: its subscription, and the sum of its charge or refund."""
    parts = [data["subscription"]["code"]] if data.get("subscription") else []
    money = data.get("charge") or data
    if "amount" in money:
        parts.append(formats.money(money["amount"], money["currency"]))
    parts += [str(data[name]) for name in ("kind", "decline", "pg", "name") if data.get(name)]
    return ", ".join(parts)
