"""`again subscription email`: where the notices of a subscription are sent. The address is never shown again."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from worker.cli import console
from worker.cli.options import Json
from worker.cli.subscription import Code, app

__all__ = ["app"]


@app.command("email")
def email(
    code: Code,
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="Its address; - reads it from standard input.")
    ] = "",
    language: Annotated[str, typer.Option(help="Of its notices: ko or en.")] = "ko",
    *,
    erase: Annotated[bool, typer.Option("--erase", help="Delete the address.")] = False,
    as_json: Json = False,
) -> None:
    """Set the e-mail address that the notices of a subscription are sent to, or --erase it."""
    from worker.cli.context import command_runtime
    from worker.subscriptions import emails

    if erase == bool(address):
        raise typer.BadParameter("give either an address, or --erase")
    with command_runtime(as_json=as_json) as runtime:
        if erase:
            code = emails.erase_address(runtime.sessions, code)
        else:
            given = sys.stdin.readline().strip() if address == "-" else address
            code = emails.give_address(runtime.sessions, code, given, language=language, now=runtime.clock())
        sends = runtime.settings.smtp_url is not None
    if as_json:
        console.print_json({"subscription": code, "has_email": not erase, "sends_email": sends})
        return
    console.say(f"The address of subscription {code} is erased." if erase else f"Subscription {code} has an address.")
    if not erase and not sends:
        console.note("Nothing is sent there until AGAIN_SMTP_URL and AGAIN_SMTP_FROM are set.", style="yellow")
