"""`again subscribe`: a customer starts on a plan."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from worker.cli import console, formats
from worker.cli.options import AllowDuplicates, Json, read_key
from worker.cli.subscription import shown_subscription


def subscribe(
    customer_reference: Annotated[
        str, typer.Argument(metavar="CUSTOMER_REFERENCE", help="Your own id for the customer.")
    ],
    plan: Annotated[str, typer.Option(metavar="CODE", help="The plan.")],
    key: Annotated[
        str,
        typer.Option(
            metavar="KEY", help="Billing key: its id as #7, its customer_uid, or - to read it from standard input."
        ),
    ] = "",
    start: Annotated[
        str, typer.Option(metavar="YYYY-MM-DD", help="Start date; today in the plan's time zone by default.")
    ] = "",
    backdate: Annotated[
        bool, typer.Option("--backdate", help="Also charge every period since a start date in the past.")
    ] = False,
    email: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where its notices are sent, if the customer wants that.")
    ] = "",
    allow_duplicates: AllowDuplicates = False,
    *,
    as_json: Json = False,
) -> None:
    """Start a subscription; its first charge is due at the plan's charge hour, after the trial if there is one."""
    from worker.cli.context import command_runtime
    from worker.domain.notices.addresses import read_address
    from worker.subscriptions import sign_up
    from worker.subscriptions.arrears import owed_by
    from worker.subscriptions.emails import give_address

    start_on, address = _date(start), read_address(email) if email else None
    with command_runtime(as_json=as_json) as runtime:
        subscribed = sign_up.subscribe(
            runtime.sessions,
            customer_reference,
            plan=plan,
            key=read_key(key) or None,
            start_on=start_on,
            backdate=backdate,
            allow_duplicates=allow_duplicates,
            max_amount=runtime.settings.max_amount,
            now=runtime.clock(),
        )
        if address is not None:
            give_address(runtime.sessions, subscribed.code, address, now=runtime.clock())
        shown = shown_subscription(runtime, subscribed.code)
        owed = owed_by(runtime.sessions, subscribed.code, now=runtime.clock())
    if as_json:
        console.print_json({**shown, "open_charges": owed.count, "owed": owed.amount})
    elif subscribed.next_charge_at is None:
        link = f"again checkout link {subscribed.code}"
        console.say(f"Subscription {subscribed.code} is pending; it begins with its first billing key: `{link}`.")
    else:
        first = formats.local(subscribed.next_charge_at, shown["time_zone"])
        console.say(f"Subscription {subscribed.code} is {subscribed.status}; its first charge is due on {first}.")
        if owed.count:
            console.say(f"{formats.owed(owed.count, owed.amount)} {formats.is_or_are(owed.count)} charged now.")


def _date(text: str) -> date | None:
    from worker.domain.errors import Refused
    from worker.subscriptions.csv_import.rows import read_date

    try:
        return read_date(text) if text else None
    except ValueError:
        raise Refused(f"--start {text!r:.60} must be a date written as 2026-01-31.") from None
