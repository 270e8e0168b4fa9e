"""`again checkout`: links for customers, and the pages that they lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli import console, formats
from worker.cli.options import Json

if TYPE_CHECKING:
    from worker.checkout import CheckoutLink

ACTOR = "checkout pages"
"""The actor in the audit: customers, and not the operator who started the server."""

app = typer.Typer(
    help="Checkout pages, where customers register a billing key or pay an overdue charge.", no_args_is_help=True
)


@app.command("link")
def link(
    subscription: Annotated[str, typer.Argument(metavar="CODE", help="Subscription that needs a billing key.")] = "",
    charge: Annotated[int | None, typer.Option(min=1, metavar="ID", help="Overdue charge to be paid.")] = None,
    pg: Annotated[str, typer.Option(metavar="PG", help="Only this PG; by default the customer chooses.")] = "",
    with_payment: Annotated[
        bool, typer.Option("--with-payment", help="Pay the first period in the same window, if the PG supports it.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the key of a running subscription.")] = False,
    *,
    as_json: Json = False,
) -> None:
    """Print a signed link that expires, to be sent to the customer."""
    from worker import checkout
    from worker.cli.context import command_runtime
    from worker.domain.states import CheckoutPurpose
    from worker.web.link_signing import link_url

    if not subscription and charge is None:
        raise typer.BadParameter("say what the link is for: a subscription's CODE, or --charge ID")
    if subscription and charge is not None:
        raise typer.BadParameter("a link is for a subscription's CODE or for --charge ID, not for both")
    if charge and (with_payment or replace):
        raise typer.BadParameter("--charge is a payment by itself: it goes with neither --with-payment nor --replace")
    purpose = CheckoutPurpose.REPLACE if replace else CheckoutPurpose.REGISTER
    with command_runtime(as_json=as_json) as runtime:
        made = checkout.create_link(
            runtime.sessions,
            runtime.settings,
            subscription=subscription or None,
            charge=charge,
            purpose=CheckoutPurpose.PAY if charge else purpose,
            pg=pg or None,
            with_payment=with_payment,
            now=runtime.clock(),
        )
        _say(link_url(runtime.settings, made), made, as_json=as_json)


@app.command("serve")
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 picks a free port.")] = 9102,
) -> None:
    """Serve the checkout pages and receive PortOne's webhooks until Ctrl-C."""
    from worker.cli.context import command_runtime
    from worker.config.logs import configure_logs
    from worker.web.app import create_app
    from worker.web.http.server import Server

    with command_runtime(as_json=False, actor_name=ACTOR) as runtime:
        configure_logs(runtime.settings.log_level)
        server = Server(create_app(runtime), host=host, port=port)
        console.note(f"checkout pages on {server.url}; Ctrl-C ends it")
        server.serve_until_stopped()


def _say(url: str, made: CheckoutLink, *, as_json: bool) -> None:
    if as_json:
        console.print_json({"url": url, "expires_at": made.expires_at})
        return
    console.say(url)
    console.note(f"works until {formats.local(made.expires_at, 'Asia/Seoul')}")
