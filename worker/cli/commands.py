"""The commands of `again`, in the order of its help. What is heavy is imported inside them, so that help is instant."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli import (
    archive,
    audit,
    charge,
    checkout,
    demo,
    doctor,
    import_,
    key,
    migrate,
    plan,
    review,
    sandbox,
    status,
    stop,
    subscribe,
    subscription,
    sweep,
    up,
)
from worker.cli.exits import EPILOG, Commands

RUN, SELL, LOOK = "Run", "Subscriptions", "Operate"

app = typer.Typer(
    name="again",
    cls=Commands,
    help="Recurring billing through PortOne V1 billing keys that never charges a period twice.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they show more of a bug than may be shown
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("again-billing"))
        raise typer.Exit


@app.callback()
def again(
    _: Annotated[bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version.")] = False,
) -> None:
    from worker.config.logs import log_errors_only

    log_errors_only()


app.command(rich_help_panel=RUN)(demo.demo)
app.command(rich_help_panel=RUN)(up.up)
app.command(rich_help_panel=RUN)(migrate.migrate)
app.command(rich_help_panel=RUN)(doctor.doctor)
app.command(rich_help_panel=RUN)(sandbox.sandbox)

app.add_typer(plan.app, name="plan", rich_help_panel=SELL)
app.add_typer(key.app, name="key", rich_help_panel=SELL)
app.command(rich_help_panel=SELL)(subscribe.subscribe)
app.add_typer(subscription.app, name="subscription", rich_help_panel=SELL)
app.add_typer(checkout.app, name="checkout", rich_help_panel=SELL)
app.command("import", rich_help_panel=SELL, epilog=import_.COLUMNS)(import_.import_file)

app.command(rich_help_panel=LOOK)(status.status)
app.add_typer(charge.app, name="charge", rich_help_panel=LOOK)
app.add_typer(review.app, name="review", rich_help_panel=LOOK)
app.command(rich_help_panel=LOOK)(audit.audit)
app.command(rich_help_panel=LOOK)(sweep.sweep)
app.command(rich_help_panel=LOOK)(stop.stop)
app.command(rich_help_panel=LOOK)(stop.start)
app.command(rich_help_panel=LOOK)(archive.archive)
