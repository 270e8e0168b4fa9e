"""`again webhook`: the endpoints that events are sent to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli import confirm, console, formats
from worker.cli.exits import ExitCode
from worker.cli.options import Json, Reason, read_key
from worker.cli.webhook_details import document, target, trouble

if TYPE_CHECKING:
    from worker.events.destination_queries import Destination
    from worker.events.destinations import Signed

app = typer.Typer(help="Webhooks: where events are sent, signed.", no_args_is_help=True)

MOST_COUNTED = 100_000

Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name, as `again webhook list` shows it.")]
Secret = Annotated[
    str | None,
    typer.Option(
        metavar="WHSEC", help="Sign with this secret instead of one that is made; - reads it from standard input."
    ),
]


@app.command("add")
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="The https:// address that events are sent to.")],
    name: Annotated[str | None, typer.Option(help="What you call it; without it, the address's host.")] = None,
    types: Annotated[
        list[str], typer.Option("--type", help="Only this type of events; can be given more than once.")
    ] = [],  # noqa: B006 - typer's way to declare an option that is given any number of times
    secret: Secret = None,
    chat: Annotated[
        bool,
        typer.Option("--chat", help="It is an incoming webhook of Slack or Mattermost: it is told of alerts."),
    ] = False,
    *,
    as_json: Json = False,
) -> None:
    """Add a webhook: events from now on go there. Prints the secret that they are signed with, this once."""
    from worker.cli.context import command_runtime
    from worker.events.destinations import add_chat, add_webhook

    if chat and secret is not None:
        raise typer.BadParameter("--chat takes no secret: the address of a chat is its secret")
    given = None if secret is None else read_key(secret)
    with command_runtime(as_json=as_json) as runtime:
        allowed = runtime.settings.webhook_allowed_networks
        if chat:
            told = add_chat(runtime.sessions, url, name=name, types=types, allowed=allowed, now=runtime.clock())
            _print(told, f"Chat {told.name} added: it is told of {', '.join(told.types)}.", as_json=as_json)
            return
        added = add_webhook(
            runtime.sessions, url, name=name, types=types, secret=given, allowed=allowed, now=runtime.clock()
        )
    _print_secret(added, f"Webhook {added.destination.name} added.", as_json=as_json)


@app.command("list")
def list_webhooks(*, as_json: Json = False) -> None:
    """List where events go, how that does, and what has not arrived yet."""
    from worker.cli.context import command_runtime
    from worker.events import delivery_queries, destination_queries

    with command_runtime(as_json=as_json) as runtime:
        now = runtime.clock()
        with runtime.sessions() as session:
            listed = destination_queries.listed(session)
            waiting = {each.id: delivery_queries.waiting(session, each.id, most=MOST_COUNTED) for each in listed}
    if as_json:
        console.print_json([{**document(each), "waiting": waiting[each.id]} for each in listed])
        return
    console.table(
        "NAME",
        "TO",
        "TYPES",
        "STATUS",
        "DELIVERED",
        "WAITING",
        "TROUBLE",
        rows=[
            (
                each.name,
                target(each),
                ", ".join(each.types) or "all",
                each.status.value,
                formats.age(each.delivered_at, now),
                f"{waiting[each.id]:,}",
                trouble(each),
            )
            for each in listed
        ],
        right=("WAITING",),
        whole=("NAME", "STATUS"),
    )


@app.command("test")
def send_message(name: Name, *, as_json: Json = False) -> None:
    """Send a test message now, and say what came of it."""
    import asyncio

    from worker.cli.context import command_runtime
    from worker.domain.events.destinations import Delivered
    from worker.events.trying import send_test

    async def story() -> Any:
        senders = runtime.senders()
        try:
            return await send_test(runtime.sessions, senders, name, now=runtime.clock())
        finally:
            for sender in senders.values():
                await sender.aclose()

    with command_runtime(as_json=as_json) as runtime:
        outcome = asyncio.run(story())
    delivered = isinstance(outcome, Delivered)
    said = outcome.answer if isinstance(outcome, Delivered) else outcome.reason
    if as_json:
        console.print_json({"name": name, "delivered": delivered, "said": said})
    elif delivered:
        console.say(f"Delivered to {name}: {said}.")
    else:
        console.complain(f"Not delivered to {name}: {said}.")
    if not delivered:
        raise typer.Exit(ExitCode.REFUSED)


@app.command("rotate")
def rotate(
    name: Name,
    secret: Secret = None,
    finish: Annotated[bool, typer.Option("--finish", help="Sign with the newest secret alone from now on.")] = False,
    *,
    as_json: Json = False,
) -> None:
    """Make another secret, and print it this once. Both sign until --finish, so that the receiver can change over."""
    from worker.cli.context import command_runtime
    from worker.events import destinations

    if finish and secret is not None:
        raise typer.BadParameter("--finish takes no secret: it ends a rotation")
    given = None if secret is None else read_key(secret)
    with command_runtime(as_json=as_json) as runtime:
        if finish:
            finished = destinations.finish_rotation(runtime.sessions, name, now=runtime.clock())
            return _print(finished, f"{name} is signed with its newest secret alone.", as_json=as_json)
        rotated = destinations.rotate(runtime.sessions, name, secret=given, now=runtime.clock())
    return _print_secret(
        rotated, f"{name} is signed with both secrets until `again webhook rotate {name} --finish`.", as_json=as_json
    )


@app.command("enable")
def enable(name: Name, *, as_json: Json = False) -> None:
    """Send events again. What is queued goes out at once; what happened while it was disabled was not queued."""
    from worker.cli.context import command_runtime
    from worker.events import destinations

    with command_runtime(as_json=as_json) as runtime:
        before = destinations.enable(runtime.sessions, name, now=runtime.clock())
        with runtime.sessions.begin() as session:
            enabled = destinations.known(session, name)
    _print(enabled, f"{name} is active.", as_json=as_json)
    if before.status != enabled.status and not as_json:
        since = f"{before.status_at:%Y-%m-%dT%H:%M}Z"
        console.note(f"What happened since it was disabled: `again events resend --since {since} --to {name}`.")


@app.command("disable")
def disable(name: Name, reason: Reason = "disabled by hand", *, as_json: Json = False) -> None:
    """Send nothing more, and queue nothing more. What is queued stays."""
    from worker.cli.context import command_runtime
    from worker.events import destinations

    with command_runtime(as_json=as_json) as runtime:
        disabled = destinations.disable(runtime.sessions, name, reason=reason, now=runtime.clock())
    _print(disabled, f"{name} is disabled.", as_json=as_json)


@app.command("remove")
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    *,
    as_json: Json = False,
) -> None:
    """Remove a webhook for good, with its secret and what is queued for it."""
    from worker.cli.context import command_runtime
    from worker.events import destinations

    with command_runtime(as_json=as_json) as runtime:
        with runtime.sessions() as session:
            destinations.known_added(session, name)
        if not yes:
            confirm.require(
                f"Remove {name}, and what has not arrived there yet?",
                unasked=f"This would remove {name}",
                declined="Not removed.",
            )
        dropped = destinations.remove(runtime.sessions, name, now=runtime.clock())
    if as_json:
        console.print_json({"name": name, "removed": True, "dropped": dropped})
    else:
        console.say(f"{name} is removed, and {formats.counted(dropped, 'event')} that had not arrived with it.")


def _print(destination: Destination, sentence: str, *, as_json: bool) -> None:
    if as_json:
        console.print_json(document(destination))
    else:
        console.say(sentence)


def _print_secret(signed: Signed, sentence: str, *, as_json: bool) -> None:
    if as_json:
        console.print_json({**document(signed.destination), "secret": signed.secret})
        return
    console.say(sentence)
    console.say(f"Its secret, which is shown this once: {signed.secret}")
    console.note(f"Does it arrive? `again webhook test {signed.destination.name}`")
