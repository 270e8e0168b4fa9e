"""The commands of `again`, in the order of its help. What is heavy is imported inside them, so that help is instant."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli import (
    alert,
    archive,
    audit,
    bulk,
    change,
    channel,
    charge_acts,
    checkout,
    clock,
    consent,
    decline_reports,
    demo,
    discount,
    doctor,
    dunning,
    event,
    forecast,
    import_,
    key,
    metrics,
    migrate,
    notice,
    plan_prices,
    review,
    sandbox,
    simulate,
    status,
    stop,
    subscribe,
    subscription_change,
    sweep,
    up,
    webhook,
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
app.command(rich_help_panel=RUN)(simulate.simulate)
app.add_typer(clock.app, name="clock", rich_help_panel=RUN)

app.add_typer(plan_prices.app, name="plan", rich_help_panel=SELL)
app.add_typer(key.app, name="key", rich_help_panel=SELL)
app.command(rich_help_panel=SELL)(subscribe.subscribe)
app.add_typer(subscription_change.app, name="subscription", rich_help_panel=SELL)
app.add_typer(discount.app, name="discount", rich_help_panel=SELL)
app.add_typer(change.app, name="change", rich_help_panel=SELL)
app.add_typer(bulk.app, name="bulk", rich_help_panel=SELL)
app.add_typer(checkout.app, name="checkout", rich_help_panel=SELL)
app.add_typer(consent.app, name="consent", rich_help_panel=SELL)
app.command("import", rich_help_panel=SELL, epilog=import_.COLUMNS)(import_.import_file)

app.command(rich_help_panel=LOOK)(status.status)
app.command(rich_help_panel=LOOK)(forecast.forecast)
app.add_typer(charge_acts.app, name="charge", rich_help_panel=LOOK)
app.add_typer(decline_reports.app, name="declines", rich_help_panel=LOOK)
app.add_typer(dunning.app, name="dunning", rich_help_panel=LOOK)
app.add_typer(review.app, name="review", rich_help_panel=LOOK)
app.add_typer(event.app, name="events", rich_help_panel=LOOK)
app.add_typer(notice.app, name="notices", rich_help_panel=LOOK)
app.add_typer(webhook.app, name="webhook", rich_help_panel=LOOK)
app.add_typer(metrics.app, name="metrics", rich_help_panel=LOOK)
app.add_typer(alert.app, name="alert", rich_help_panel=LOOK)
app.command(rich_help_panel=LOOK)(audit.audit)
app.command(rich_help_panel=LOOK)(sweep.sweep)
app.add_typer(channel.app, name="channel", rich_help_panel=LOOK)
app.command(rich_help_panel=LOOK)(stop.stop)
app.command(rich_help_panel=LOOK)(stop.start)
app.command(rich_help_panel=LOOK)(archive.archive)
