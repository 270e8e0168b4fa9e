"""`again subscribe` and `again subscription`: who is on which plan, from beginning to end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli import console, words
from worker.cli.options import Json, Limit, Reason
from worker.lifecycle import SubscriptionStatus

if TYPE_CHECKING:
    from worker.runtime import Runtime

SHOWN_CHARGES = 12
SHOWN_PERIODS = 3

app = typer.Typer(help="Who is on which plan.", no_args_is_help=True)

Code = Annotated[str, typer.Argument(metavar="CODE", help="The subscription's 13 characters.")]


def subscribe(
    customer_reference: Annotated[
        str, typer.Argument(metavar="CUSTOMER_REFERENCE", help="Your own id of the customer.")
    ],
    plan: Annotated[str, typer.Option(metavar="CODE", help="The plan.")],
    key: Annotated[str, typer.Option(metavar="KEY", help="A billing key's id, or its customer_uid.")],
    start: Annotated[
        str, typer.Option(metavar="YYYY-MM-DD", help="When it starts; today in the plan's zone by default.")
    ] = "",
    arrears: Annotated[
        bool, typer.Option("--arrears", help="Charge all periods since a start that lies back.")
    ] = False,
    *,
    as_json: Json = False,
) -> None:
    """Begin a subscription; the first charge is made at the plan's hour after the trial, if it has one."""
    from worker import subscriptions
    from worker.cli.database import database

    start_on = _date(start)
    with database(as_json=as_json) as runtime:
        subscribed = subscriptions.subscribe(
            runtime.sessions,
            customer_reference,
            plan=plan,
            key=key,
            start_on=start_on,
            arrears=arrears,
            max_amount=runtime.settings.max_amount,
            now=runtime.clock(),
        )
        shown = _shown(runtime, subscribed.code)
    if as_json:
        console.print_json(shown)
    else:
        first = words.local(subscribed.next_charge_at, shown["time_zone"])
        console.say(f"Subscription {subscribed.code} is {subscribed.status}; its first charge is due on {first}.")


@app.command("list")
def list_subscriptions(
    status: Annotated[SubscriptionStatus | None, typer.Option(help="Only those of this status.")] = None,
    plan: Annotated[str | None, typer.Option(metavar="CODE", help="Only those to this plan.")] = None,
    customer: Annotated[str | None, typer.Option(metavar="REFERENCE", help="Only those of this customer.")] = None,
    limit: Limit = 50,
    *,
    as_json: Json = False,
) -> None:
    """List subscriptions."""
    from worker.cli.database import database
    from worker.database import subscriptions

    with database(as_json=as_json) as runtime, runtime.sessions() as session:
        listed = subscriptions.listed(session, status=status, plan=plan, customer=customer, limit=limit)
    if as_json:
        console.print_json(listed)
        return
    console.table(
        "CODE",
        "CUSTOMER",
        "PLAN",
        "STATUS",
        "NEXT CHARGE",
        "KEY",
        rows=[
            (
                row["code"],
                row["customer_reference"],
                row["plan"],
                row["status"],
                words.local(row["next_charge_at"], row["time_zone"]),
                "none" if row["key_id"] is None else f"{row['key_id']} {row['key_status']}",
            )
            for row in listed
        ],
        whole=("CODE", "STATUS", "NEXT CHARGE"),
    )


@app.command("show")
def show(code: Code, *, as_json: Json = False) -> None:
    """Show a subscription with its periods, its charges and its history."""
    from worker.cli.database import database
    from worker.database import history, plans

    with database(as_json=as_json) as runtime:
        shown = _shown(runtime, code)
        with runtime.sessions() as session:
            plan = plans.named(session, shown["plan"])
            charges = history.charges(session, status=None, subscription=shown["code"], limit=SHOWN_CHARGES)
            audit = history.audit(session, "subscription", shown["id"])
    upcoming = _upcoming(plan, shown)
    if as_json:
        console.print_json({**shown, "upcoming": upcoming, "charges": charges, "audit": audit})
    else:
        _print(shown, upcoming, charges, audit)


@app.command("cancel")
def cancel(code: Code, reason: Reason = "canceled by hand", *, as_json: Json = False) -> None:
    """End a subscription for good: nothing more falls due, and what it owes is void."""
    from worker import subscriptions
    from worker.cli.database import database

    with database(as_json=as_json) as runtime:
        canceled = subscriptions.cancel(runtime.sessions, code, reason=reason, now=runtime.clock())
        shown = _shown(runtime, code)
    if as_json:
        console.print_json({**shown, "void_charges": canceled.void, "charges_in_flight": canceled.in_flight})
        return
    flight = f"; {canceled.in_flight} in flight ends by itself, paid or void" if canceled.in_flight else ""
    console.say(f"Subscription {shown['code']} is canceled; {canceled.void} of its charges became void{flight}.")


@app.command("pause")
def pause(code: Code, reason: Reason = "paused by hand", *, as_json: Json = False) -> None:
    """Let nothing fall due, and charge nothing that is owed, until it is resumed."""
    from worker import subscriptions
    from worker.cli.database import database

    with database(as_json=as_json) as runtime:
        subscriptions.pause(runtime.sessions, code, reason=reason, now=runtime.clock())
        shown = _shown(runtime, code)
    if as_json:
        console.print_json(shown)
    else:
        console.say(f"Subscription {shown['code']} is paused; `again subscription resume {shown['code']}` resumes it.")


@app.command("resume")
def resume(code: Code, reason: Reason = "resumed by hand", *, as_json: Json = False) -> None:
    """Bill a paused subscription again from its next period on; those of the pause are not owed."""
    from worker import subscriptions
    from worker.cli.database import database

    with database(as_json=as_json) as runtime:
        next_charge_at = subscriptions.resume(runtime.sessions, code, reason=reason, now=runtime.clock())
        shown = _shown(runtime, code)
    if as_json:
        console.print_json(shown)
    else:
        at = words.local(next_charge_at, shown["time_zone"])
        console.say(f"Subscription {shown['code']} is {shown['status']}; its next charge is due on {at}.")


def _date(text: str) -> Any:
    from worker.import_rows import read_date
    from worker.refusals import Refused

    try:
        return read_date(text) if text else None
    except ValueError:
        raise Refused(f"--start {text!r:.60} must be a date written as 2026-01-31.") from None


def _shown(runtime: Runtime, code: str) -> Mapping[str, Any]:
    from worker.database import subscriptions
    from worker.refusals import Refused
    from worker.subscription_code import read_code

    with runtime.sessions() as session:
        shown = subscriptions.shown(session, read_code(code))
    if shown is None:
        raise Refused(f"There is no subscription {code!r:.60}. `again subscription list` shows those there are.")
    return shown


def _upcoming(plan_row: Any, shown: Mapping[str, Any]) -> list[Mapping[str, datetime]]:
    """List the next periods that will be charged; none while nothing falls due."""
    from schedules.periods import period_starting
    from worker.database.plans import plan_of

    start: datetime | None = shown["next_charge_at"]
    periods: list[Mapping[str, datetime]] = []
    while start is not None and len(periods) < SHOWN_PERIODS:
        period = period_starting(plan_of(plan_row), shown["anchor_on"], start)
        periods.append({"start": period.start, "end": period.end})
        start = period.end
    return periods


def _print(shown: Mapping[str, Any], upcoming: list[Mapping[str, datetime]], charges: Any, audit: Any) -> None:
    at = words.in_zone(shown["time_zone"])
    key = "none; it waits for one"
    if shown["key_id"] is not None:
        key = " ".join(
            (
                f"{shown['key_id']}",
                shown["key_label"],
                f"({shown['pg']}, {shown['customer_uid']}, {shown['key_status']})",
            )
        )
    current = shown["current_period_start"]
    console.details(
        {
            "subscription": shown["code"],
            "customer": shown["customer_reference"],
            "plan": shown["plan"],
            "key": key,
            "status": f"{shown['status']} since {at(shown['status_at'])} ({shown['status_reason']})",
            "anchor": str(shown["anchor_on"]),
            "current period": f"{at(current)} to {at(shown['current_period_end'])}" if current else None,
            "next periods": "\n".join(f"{at(each['start'])} to {at(each['end'])}" for each in upcoming) or "none",
        }
    )
    if charges:
        from worker.cli.charge import print_charges

        console.head(f"The last {len(charges)} charges" if len(charges) == SHOWN_CHARGES else "Charges")
        print_charges(charges)
    console.head("History")
    print_audit(audit, shown["time_zone"])


def print_audit(audit: Any, zone: str) -> None:
    """Print who changed a status, when and why."""
    console.table(
        "AT",
        "STATUS",
        "REASON",
        "BY",
        rows=[(words.local(row["at"], zone), row["to_status"], row["reason"], row["actor"]) for row in audit],
        whole=("AT", "STATUS"),
    )
