"""`again dunning`: when declined charges are tried again, and why then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from worker.cli import console
from worker.cli.options import Json

if TYPE_CHECKING:
    from schedules.dunning import DunningCalendar, DunningKind
    from worker.operations.explain_dunning import ExplainedTry
    from worker.runtime import Runtime

app = typer.Typer(help="Dunning: when a declined charge is tried again, and why then.", no_args_is_help=True)


@app.callback()
def dunning() -> None:
    """Dunning: when a declined charge is tried again, and why then."""


@app.command("explain")
def explain(
    charge: Annotated[str, typer.Argument(metavar="CHARGE", help="The charge's id. Or give --plan.")] = "",
    *,
    plan: Annotated[str, typer.Option(metavar="CODE", help="Of a decline on this plan, as if there were one.")] = "",
    declined_at: Annotated[
        str, typer.Option(metavar="INSTANT", help="When that is: 2026-02-13T10:00, by the clocks of the plan.")
    ] = "",
    kind: Annotated[
        str, typer.Option(help="What all declines are for: balance, limit or unmatched; otherwise none of these.")
    ] = "",
    calendar: Annotated[str, typer.Option("--dunning", help="Another calendar than the plan's, to compare.")] = "",
    as_json: Json = False,
) -> None:
    """Show each date on which a declined charge is tried again, and why it is that one."""
    from worker.cli.context import command_runtime

    if bool(charge) == bool(plan) or bool(plan) != bool(declined_at):
        raise typer.BadParameter("give a charge's id, or --plan and --declined-at")
    with command_runtime(as_json=as_json) as runtime:
        if plan:
            _explain_plan(runtime, plan, declined_at, kind, calendar, as_json=as_json)
        else:
            _explain_charge(runtime, charge, kind, as_json=as_json)


def _explain_plan(runtime: Runtime, code: str, declined_at: str, kind: str, calendar: str, *, as_json: bool) -> None:
    from worker.database.mapping import plan_of
    from worker.operations.explain_dunning import tries_of_plan
    from worker.subscriptions.plans import plan_row

    with runtime.sessions() as session:
        plan = plan_of(plan_row(session, code))
    if calendar:
        plan = replace(plan, dunning=_calendar(calendar))
    first = _instant(declined_at, plan.time_zone)
    tries = tries_of_plan(plan, _kind(kind), first)
    said = f"Declined on {_shown(first, plan.time_zone)}, and at each try after that:"
    _print(f"plan {plan.code}, {plan.dunning}", said, tries, plan.time_zone, as_json=as_json)


def _explain_charge(runtime: Runtime, text: str, kind: str, *, as_json: bool) -> None:
    from worker.domain.errors import Refused
    from worker.domain.identifiers import read_id
    from worker.operations.dunning_queries import dunned_charge
    from worker.operations.explain_dunning import tries_of_charge

    with runtime.sessions() as session:
        charge_id = read_id(text)
        charge = None if charge_id is None else dunned_charge(session, charge_id, runtime.policy.rules)
    if charge is None:
        raise Refused(f"There is no charge with the id {text!r:.60}. `again charge list` shows some.")
    said, tries = tries_of_charge(charge, _kind(kind), now=runtime.clock())
    subject = f"charge {charge.id}, plan {charge.plan}, {charge.retry.dunning}"
    _print(subject, said, tries, charge.retry.time_zone, as_json=as_json)


def _print(subject: str, said: str, tries: Sequence[ExplainedTry], zone: ZoneInfo, *, as_json: bool) -> None:
    if as_json:
        console.print_json({"of": subject, "said": said, "tries": [asdict(each) for each in tries]})
        return
    console.head(subject[0].upper() + subject[1:])
    console.say(said)
    if tries:
        rows = [(str(each.number), _shown(each.at, zone), each.why) for each in tries]
        console.table("TRY", "WHEN", "WHY", rows=rows, whole=("TRY", "WHEN"))


def _shown(at: datetime | None, zone: ZoneInfo) -> str:
    return "none" if at is None else f"{at.astimezone(zone):%a %Y-%m-%d %H:%M}"


def _calendar(text: str) -> DunningCalendar:
    from schedules.dunning_text import parse_dunning
    from schedules.errors import InvalidDunning
    from worker.domain.errors import Refused

    try:
        return parse_dunning(text)
    except InvalidDunning as refused:
        raise Refused(str(refused)) from None


def _kind(text: str) -> DunningKind | None:
    from schedules.dunning import DunningKind

    if not text:
        return None
    if text not in set(DunningKind):
        raise typer.BadParameter(f"{text!r:.40} is none of {', '.join(DunningKind)}", param_hint="--kind")
    return DunningKind(text)


def _instant(text: str, zone: ZoneInfo) -> datetime:
    from datetime import UTC

    try:
        found = datetime.fromisoformat(text)
        found = found if found.tzinfo is not None else found.replace(tzinfo=zone)
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r:.60} is no time such as 2026-02-13T10:00", param_hint="--declined-at"
        ) from None
