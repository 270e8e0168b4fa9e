"""`again subscription`: list, show and change subscriptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli import confirm, console, formats
from worker.cli.options import AllowDuplicates, Json, Limit, Reason, read_key
from worker.domain.states import SubscriptionStatus

if TYPE_CHECKING:
    from worker.runtime import Runtime
    from worker.subscriptions.arrears import Arrears

SHOWN_CHARGES = 12
SHOWN_CHANGES = 8

app = typer.Typer(help="Subscriptions: list, show, pause, resume, cancel, replace the key.", no_args_is_help=True)

Code = Annotated[str, typer.Argument(metavar="CODE", help="The subscription's 13 characters.")]


@app.command("list")
def list_subscriptions(
    status: Annotated[SubscriptionStatus | None, typer.Option(help="Only this status.")] = None,
    plan: Annotated[str | None, typer.Option(metavar="CODE", help="Only this plan.")] = None,
    customer: Annotated[str | None, typer.Option(metavar="REFERENCE", help="Only this customer.")] = None,
    limit: Limit = 50,
    *,
    as_json: Json = False,
) -> None:
    """List subscriptions."""
    from worker.cli.context import command_runtime
    from worker.subscriptions import queries as subscriptions

    with command_runtime(as_json=as_json) as runtime, runtime.sessions() as session:
        listed = subscriptions.listed(session, status=status, plan=plan, customer=customer, limit=limit)
    if as_json:
        console.print_json(listed)
        return
    console.table(
        "CODE",
        "CUSTOMER",
        "PLAN",
        "STATUS",
        "PAID UNTIL",
        "NEXT CHARGE",
        "KEY",
        rows=[
            (
                row["code"],
                row["customer_reference"],
                row["plan"],
                row["status"],
                formats.local_date(row["paid_until"], row["time_zone"]),
                formats.local(row["next_charge_at"], row["time_zone"]),
                "none" if row["key_id"] is None else f"{row['key_id']} {row['key_status']}",
            )
            for row in listed
        ],
        whole=("CODE", "STATUS", "PAID UNTIL", "NEXT CHARGE"),
    )


@app.command("show")
def show(code: Code, *, as_json: Json = False) -> None:
    """Show a subscription with its periods, charges and history."""
    from worker.changes import queries as change_queries
    from worker.changes.outlook import outlook
    from worker.cli.context import command_runtime
    from worker.cli.subscription_details import print_changes, print_subscription
    from worker.ledger import history, standing_stops
    from worker.ledger.adjustments import open_of

    with command_runtime(as_json=as_json) as runtime:
        shown, now = shown_subscription(runtime, code), runtime.clock()
        with runtime.sessions() as session:
            stopped = standing_stops.of_subscription(session, shown["id"])
            charges = history.charges(session, status=None, subscription=shown["code"], limit=SHOWN_CHARGES, now=now)
            audit = history.audit(session, "subscription", shown["id"])
            adjustments = [asdict(each) for each in open_of(session, [shown["id"]]).get(shown["id"], ())]
            changes = change_queries.listed(session, subscription=shown["code"], limit=SHOWN_CHANGES)
        periods = outlook(runtime.sessions, shown["code"], policy=runtime.change_policy, now=now)
    shown = {**shown, "adjustments": adjustments, "stopped": [asdict(each) for each in stopped]}
    upcoming = [asdict(each) for each in periods]
    if as_json:
        console.print_json({**shown, "upcoming": upcoming, "charges": charges, "changes": changes, "audit": audit})
    else:
        print_subscription(shown, upcoming, charges, audit)
        print_changes(changes)


@app.command("key")
def change_key(
    code: Code,
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="Its id as #7, its customer_uid, or - to read it from standard input.")
    ],
    reason: Reason = "changed by hand",
    allow_duplicates: AllowDuplicates = False,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="The customer has agreed to pay what is owed now.")] = False,
    as_json: Json = False,
) -> None:
    """Replace the billing key of a subscription, and charge what is owed to it at once. Asks first."""
    from worker.cli.context import command_runtime
    from worker.subscriptions import key_change

    with command_runtime(as_json=as_json) as runtime:
        named, max_amount = read_key(key), runtime.settings.max_amount
        arrears = key_change.owed_by_new_key(
            runtime.sessions,
            code,
            named,
            allow_duplicates=allow_duplicates,
            max_amount=max_amount,
            now=runtime.clock(),
        )
        if (arrears.count or arrears.given_up) and not yes:
            confirm.require_consent(
                _charged_and_given_up(arrears),
                instead=f"`again checkout link {code} --replace` lets the customer agree themselves.",
            )
        changed = key_change.change_key(
            runtime.sessions,
            code,
            named,
            reason=reason,
            allow_duplicates=allow_duplicates,
            max_amount=max_amount,
            owed=arrears.amount,
            given_up=arrears.given_up_amount,
            now=runtime.clock(),
        )
        shown = shown_subscription(runtime, code)
    if as_json:
        console.print_json(
            {**shown, "charges_woken": changed.woken, "charged_now": changed.amount} | {"given_up": changed.given_up}
        )
        return
    at_once = ""
    if changed.woken:
        charged = f"{formats.is_or_are(changed.woken)} charged"
        when = f"{charged} now" if shown["status"] != SubscriptionStatus.PAUSED else f"{charged} once it is resumed"
        at_once = f"; {formats.owed(changed.woken, changed.amount)} {when}"
    console.say(f"Subscription {shown['code']} is charged by billing key {changed.key_id} from now on{at_once}.")
    if changed.given_up:
        console.say(f"{changed.given_up:,} KRW that were unpaid are not charged any more, by the terms of its plan.")
    if shown["next_charge_at"] is not None:
        console.say(f"Its next charge is due on {formats.local(shown['next_charge_at'], shown['time_zone'])}.")


def _charged_and_given_up(arrears: Arrears) -> str:
    """Return what a new key would be charged with, and what it would not be."""
    what = f"{formats.owed(arrears.count, arrears.amount)} would be charged to this billing key at once"
    if under_way := sum(each.under_way for each in arrears.periods):
        what += f" ({under_way:,} of them, under way, only if that comes to nothing)"
    if arrears.given_up:
        older = formats.owed(len(arrears.given_up), arrears.given_up_amount)
        what += f", and {older} would be given up by the terms of its plan"
    return what


@app.command("release")
def release(code: Code, reason: Reason = "released by hand", *, as_json: Json = False) -> None:
    """Release a subscription that was held; its charges of today are counted from zero."""
    from worker.cli.context import command_runtime

    with command_runtime(as_json=as_json) as runtime:
        release_held(runtime, code, reason, as_json=as_json)


def release_held(runtime: Runtime, code: str, reason: str, *, as_json: bool) -> None:
    """Release a subscription, and tell what it is charged with from now on. Raises Refused when it is not held."""
    from worker.subscriptions import holds

    owed = holds.release(runtime.sessions, code, reason=reason, now=runtime.clock())
    shown = shown_subscription(runtime, code)
    if as_json:
        console.print_json({**shown, "open_charges": owed.count, "owed": owed.amount})
        return
    console.say(f"Subscription {shown['code']} is held no more.")
    if owed.count:
        what = f"{formats.owed(owed.count, owed.amount)} {formats.is_or_are(owed.count)} charged again"
        console.say(f"{what}, at once or on the next dunning day.")


def shown_subscription(runtime: Runtime, code: str) -> Mapping[str, Any]:
    """Return a subscription as commands show it. Raises Refused when there is none with this code."""
    from worker.domain.identifiers import read_code
    from worker.subscriptions import queries as subscriptions
    from worker.subscriptions.locking import not_found

    with runtime.sessions() as session:
        shown = subscriptions.shown(session, read_code(code))
    if shown is None:
        raise not_found(code)
    return shown
