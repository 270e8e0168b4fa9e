"""`again alert`: what operators were told of."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from worker.cli import console, formats
from worker.cli.options import Json

app = typer.Typer(help="Alerts: what operators were told of.", no_args_is_help=True)

KOREA = "Asia/Seoul"


@app.command("list")
def list_alerts(
    closed: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    most: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="The newest so many.")] = 50,
    *,
    as_json: Json = False,
) -> None:
    """List the alerts that are open, the newest first, with what to do about each."""
    from worker.cli.context import command_runtime
    from worker.operations.alert_queries import listed

    with command_runtime(as_json=as_json) as runtime, runtime.sessions() as session:
        alerts = listed(session, closed=closed, most=most)
    if as_json:
        console.print_json([asdict(each) for each in alerts])
        return
    if not alerts:
        console.say("No alert was opened." if closed else "No alert is open.")
        return
    console.table(
        "SINCE",
        "UNTIL",
        "CHECK",
        "WHAT",
        "WHAT TO DO",
        rows=[
            (
                formats.local(each.opened_at, KOREA),
                formats.local(each.closed_at, KOREA) if each.closed_at else "",
                each.check,
                each.finding,
                each.remedy,
            )
            for each in alerts
        ],
        whole=("SINCE", "CHECK"),
    )
