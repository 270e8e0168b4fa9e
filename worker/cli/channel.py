"""`again channel`: what is set for each PG: calls a second and in flight, hours and maintenance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli import console, formats
from worker.cli.options import Json, Reason

if TYPE_CHECKING:
    from datetime import datetime

    from worker.domain.channel_rules import ChannelRules

app = typer.Typer(help="Channels: how fast and when each PG is called.", no_args_is_help=True)

SEOUL = "Asia/Seoul"

LimitText = Annotated[str | None, typer.Option(metavar="N", help="For all workers together; none for no limit.")]


@app.command("list")
def list_channels(*, as_json: Json = False) -> None:
    """List the PGs for which something is set."""
    from worker.charging.channel_rules import channels
    from worker.cli.context import command_runtime

    with command_runtime(as_json=as_json) as runtime:
        known, now = channels(runtime.sessions), runtime.clock()
    if as_json:
        console.print_json([_document(pg, rules, now) for pg, rules in known.items()])
        return
    console.table(
        "PG",
        "CALLS/S",
        "IN FLIGHT",
        "HOURS",
        "MAINTENANCE",
        "NOW",
        rows=[_row(pg, rules, now) for pg, rules in known.items()],
        right=("CALLS/S", "IN FLIGHT"),
        whole=("PG", "NOW"),
    )


@app.command("set")
def set_channel(
    pg: Annotated[str, typer.Argument(metavar="PG", help="The PG, such as kakaopay.")],
    *,
    calls_per_second: LimitText = None,
    in_flight: LimitText = None,
    hours: Annotated[
        str | None, typer.Option(metavar="SPAN", help="Hours of the day in Seoul, such as 08:00-22:00; or none.")
    ] = None,
    maintenance: Annotated[
        str | None,
        typer.Option(
            metavar="SPANS",
            help="When nothing is charged: 23:30-00:30, 'sun 02:00-06:00', 2027-02-06T00:00/2027-02-07T06:00; or none.",
        ),
    ] = None,
    reason: Reason = "set by hand",
    as_json: Json = False,
) -> None:
    """Set how fast and when a PG is called; what is not given stays. It holds from the next claim on."""
    from worker.charging.channel_rules import GivenRules, set_channel_rules
    from worker.cli.context import command_runtime

    given = GivenRules(calls_per_second, in_flight, hours, maintenance)
    with command_runtime(as_json=as_json) as runtime:
        now = runtime.clock()
        rules = set_channel_rules(runtime.sessions, pg, given, reason=reason, now=now)
    if as_json:
        console.print_json(_document(pg, rules, now))
        return
    names = ("calls a second", "in flight", "hours", "maintenance", "now")
    console.details({"pg": pg, **dict(zip(names, _row(pg, rules, now)[1:], strict=True))})


def _row(pg: str, rules: ChannelRules, now: datetime) -> tuple[str, ...]:
    opens_at = rules.open_hours.opens_at(now)
    return (
        pg,
        _limit(rules.calls_per_second),
        _limit(rules.in_flight),
        rules.open_hours.hours or "all day",
        rules.open_hours.maintenance or "none",
        "open" if opens_at == now else f"closed until {formats.local(opens_at, SEOUL)}",
    )


def _document(pg: str, rules: ChannelRules, now: datetime) -> dict[str, object]:
    opens_at = rules.open_hours.opens_at(now)
    return {
        "pg": pg,
        "calls_per_second": rules.calls_per_second,
        "in_flight": rules.in_flight,
        "hours": rules.open_hours.hours or None,
        "maintenance": rules.open_hours.maintenance or None,
        "is_open": opens_at == now,
        "opens_at": None if opens_at == now else opens_at,
    }


def _limit(value: int | None) -> str:
    return "no limit" if value is None else f"{value:,}"
