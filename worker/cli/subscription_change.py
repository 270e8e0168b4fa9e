"""`again subscription change`, `move-renewal` and `trial`: other terms of a subscription, and other days."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from worker.cli import acts
from worker.cli.acts import At, Comment, DryRun, Key, Yes
from worker.cli.options import Json, Reason
from worker.cli.subscription import Code
from worker.cli.subscription_pricing import app
from worker.domain.changes import ChangeKind

__all__ = ["app"]


@app.command("change")
def change(
    code: Code,
    plan: Annotated[str | None, typer.Option(metavar="CODE", help="The plan that it changes to.")] = None,
    quantity: Annotated[int | None, typer.Option(help="How many of the plan, such as seats.")] = None,
    proration: Annotated[
        str | None,
        typer.Option(metavar="days|none", help="In the middle of a period: charge by days (the default), or nothing."),
    ] = None,
    renewal: Annotated[
        str | None,
        typer.Option(metavar="keep|restart", help="In the middle of a period: keep its end, or begin a new period."),
    ] = None,
    *,
    billing_day: Annotated[
        int | None, typer.Option("--billing-day", metavar="DAY", help="Renew on this day of the month from then on.")
    ] = None,
    at: At = None,
    reason: Reason = "changed by hand",
    comment: Comment = None,
    idempotency_key: Key = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Change plan, quantity or billing day: at the end of the period, or --at now, charged by days, or on a date."""
    given = {
        "plan": plan,
        "quantity": quantity,
        "proration": proration,
        "renewal": renewal,
        "anchor_day": billing_day,
    }
    _run(
        ChangeKind.CHANGE_PLAN,
        code,
        {name: value for name, value in given.items() if value is not None},
        asked={"at": at, "reason": reason, "comment": comment, "key": idempotency_key},
        how={"dry_run": dry_run, "yes": yes, "as_json": as_json},
    )


@app.command("move-renewal")
def move_renewal(
    code: Code,
    on: Annotated[str, typer.Option("--on", metavar="DATE", help="The day of the next renewal, in the plan's zone.")],
    reason: Reason = "renewal moved by hand",
    comment: Comment = None,
    idempotency_key: Key = None,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Move the next renewal: later, the days between are given; earlier, what was paid for them becomes a credit."""
    _run(
        ChangeKind.MOVE_RENEWAL,
        code,
        {"on": on},
        asked={"at": None, "reason": reason, "comment": comment, "key": idempotency_key},
        how={"dry_run": dry_run, "yes": yes, "as_json": as_json},
    )


@app.command("trial")
def trial(
    code: Code,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Let the trial last until this day.")] = None,
    end_now: Annotated[bool, typer.Option("--end-now", help="End the trial, and charge the first period now.")] = False,
    reason: Reason = "trial changed by hand",
    comment: Comment = None,
    idempotency_key: Key = None,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Extend or shorten a trial, or end it now: it is active once its first charge is paid."""
    _run(
        ChangeKind.TRIAL,
        code,
        ({} if until is None else {"until": until}) | ({"end_now": True} if end_now else {}),
        asked={"at": None, "reason": reason, "comment": comment, "key": idempotency_key},
        how={"dry_run": dry_run, "yes": yes, "as_json": as_json},
    )


def _run(
    kind: ChangeKind, code: str, parameters: dict[str, Any], *, asked: dict[str, Any], how: dict[str, bool]
) -> None:
    from worker.changes.request import ChangeRequest
    from worker.cli.context import command_runtime

    request = ChangeRequest(
        kind=kind,
        subscription=code,
        parameters=parameters,
        when=acts.read_at(asked["at"]),
        reason=asked["reason"],
        comment=asked["comment"],
        idempotency_key=asked["key"],
    )
    with command_runtime(as_json=how["as_json"]) as runtime:
        acts.run(runtime, request, dry_run=how["dry_run"], yes=how["yes"], as_json=how["as_json"])
