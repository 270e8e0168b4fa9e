"""`again subscription`: list, show and change subscriptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli import confirm, console, formats
from worker.cli.options import AllowDuplicates, Json, Limit, Reason, read_key
from worker.domain.states import SubscriptionStatus

if TYPE_CHECKING:
    from worker.runtime import Runtime

SHOWN_CHARGES = 12

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
    from worker.cli.context import command_runtime
    from worker.cli.subscription_details import print_subscription, upcoming_periods
    from worker.ledger import history
    from worker.subscriptions import plan_queries

    with command_runtime(as_json=as_json) as runtime:
        shown = shown_subscription(runtime, code)
        with runtime.sessions() as session:
            plan = plan_queries.named(session, shown["plan"])
            charges = history.charges(
                session, status=None, subscription=shown["code"], limit=SHOWN_CHARGES, now=runtime.clock()
            )
            audit = history.audit(session, "subscription", shown["id"])
    upcoming = upcoming_periods(plan, shown)
    if as_json:
        console.print_json({**shown, "upcoming": upcoming, "charges": charges, "audit": audit})
    else:
        print_subscription(shown, upcoming, charges, audit)


@app.command("cancel")
def cancel(code: Code, reason: Reason = "canceled by hand", *, as_json: Json = False) -> None:
    """Cancel a subscription for good: nothing more falls due, and unpaid charges are voided."""
    from worker.cli.context import command_runtime
    from worker.subscriptions import cancellation

    with command_runtime(as_json=as_json) as runtime:
        canceled = cancellation.cancel(runtime.sessions, code, reason=reason, now=runtime.clock())
        shown = shown_subscription(runtime, code)
    if as_json:
        console.print_json({**shown, "void_charges": canceled.void, "charges_in_flight": canceled.in_flight})
        return
    flight = f"; {canceled.in_flight} in flight ends by itself, paid or void" if canceled.in_flight else ""
    console.say(f"Subscription {shown['code']} is canceled; {canceled.void} of its charges became void{flight}.")
    if shown["paid_until"] is not None:
        console.say(f"It is paid until {formats.local(shown['paid_until'], shown['time_zone'])}.")


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
        if arrears.count and not yes:
            what = f"{formats.owed(arrears.count, arrears.amount)} would be charged to this billing key at once"
            if under_way := sum(each.under_way for each in arrears.periods):
                what += f" ({under_way:,} of them, under way, only if that comes to nothing)"
            confirm.require_consent(
                what, instead=f"`again checkout link {code} --replace` lets the customer agree themselves."
            )
        changed = key_change.change_key(
            runtime.sessions,
            code,
            named,
            reason=reason,
            allow_duplicates=allow_duplicates,
            max_amount=max_amount,
            owed=arrears.amount,
            now=runtime.clock(),
        )
        shown = shown_subscription(runtime, code)
    if as_json:
        console.print_json({**shown, "charges_woken": changed.woken, "charged_now": changed.amount})
        return
    at_once = ""
    if changed.woken:
        charged = f"{formats.is_or_are(changed.woken)} charged"
        when = f"{charged} now" if shown["status"] != SubscriptionStatus.PAUSED else f"{charged} once it is resumed"
        at_once = f"; {formats.owed(changed.woken, changed.amount)} {when}"
    console.say(f"Subscription {shown['code']} is charged by billing key {changed.key_id} from now on{at_once}.")
    if shown["next_charge_at"] is not None:
        console.say(f"Its next charge is due on {formats.local(shown['next_charge_at'], shown['time_zone'])}.")


@app.command("release")
def release(code: Code, reason: Reason = "released by hand", *, as_json: Json = False) -> None:
    """Release a subscription that a charge limit has held; its charges of today are counted from zero."""
    from worker.cli.context import command_runtime
    from worker.subscriptions import holds

    with command_runtime(as_json=as_json) as runtime:
        owed = holds.release(runtime.sessions, code, reason=reason, now=runtime.clock())
        shown = shown_subscription(runtime, code)
    if as_json:
        console.print_json({**shown, "open_charges": owed.count, "owed": owed.amount})
        return
    console.say(f"Subscription {shown['code']} is held no more.")
    if owed.count:
        what = f"{formats.owed(owed.count, owed.amount)} {formats.is_or_are(owed.count)} charged again"
        console.say(f"{what}, at once or on the next dunning day.")


@app.command("pause")
def pause(code: Code, reason: Reason = "paused by hand", *, as_json: Json = False) -> None:
    """Pause a subscription: nothing falls due and nothing is charged until it is resumed."""
    from worker.cli.context import command_runtime
    from worker.subscriptions import pausing

    with command_runtime(as_json=as_json) as runtime:
        pausing.pause(runtime.sessions, code, reason=reason, now=runtime.clock())
        shown = shown_subscription(runtime, code)
    if as_json:
        console.print_json(shown)
    else:
        console.say(f"Subscription {shown['code']} is paused; `again subscription resume {shown['code']}` resumes it.")


@app.command("resume")
def resume(code: Code, reason: Reason = "resumed by hand", *, as_json: Json = False) -> None:
    """Resume a paused subscription from its next period on. Periods during the pause are not owed; open charges are."""
    from worker.cli.context import command_runtime
    from worker.subscriptions import arrears, pausing

    with command_runtime(as_json=as_json) as runtime:
        now = runtime.clock()
        open_before = arrears.owed_by(runtime.sessions, code, now=now).chargeable
        next_charge_at = pausing.resume(runtime.sessions, code, reason=reason, now=now, owed=open_before.amount)
        shown = shown_subscription(runtime, code)
    if as_json:
        console.print_json({**shown, "open_charges": open_before.count, "owed": open_before.amount})
        return
    at = formats.local(next_charge_at, shown["time_zone"])
    console.say(f"Subscription {shown['code']} is {shown['status']}; its next charge is due on {at}.")
    if open_before.count:
        what = f"{formats.owed(open_before.count, open_before.amount)} open since before the pause"
        console.say(
            f"{what}, {formats.is_or_are(open_before.count)} charged again, at once or on the next dunning day."
        )


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
