"""`again subscription cancel`, `pause` and `resume`: what is done to a subscription as a whole."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli import acts
from worker.cli.acts import At, Comment, DryRun, Key, Yes
from worker.cli.desk import cancel_and_refund
from worker.cli.options import Json, Reason
from worker.cli.subscription import Code
from worker.cli.subscription_email import app
from worker.domain.changes import ChangeKind

__all__ = ["app"]


@app.command("cancel")
def cancel(
    code: Code,
    at: At = None,
    refund: Annotated[
        str | None,
        typer.Option(metavar="WHAT", help="With --at now: refund unused-days, or all, of what was paid for now."),
    ] = None,
    reason: Reason = "canceled by hand",
    comment: Comment = None,
    idempotency_key: Key = None,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Cancel a subscription at the end of its period, or --at now, or on a date: then nothing is charged any more."""
    from worker.changes.refund_with_cancellation import read_refund
    from worker.changes.request import ChangeRequest
    from worker.cli.context import command_runtime

    request = ChangeRequest(
        kind=ChangeKind.CANCEL,
        subscription=code,
        parameters={} if read_refund(refund) is None else {"refund": refund},
        when=acts.read_at(at),
        reason=reason,
        comment=comment,
        idempotency_key=idempotency_key,
    )
    with command_runtime(as_json=as_json) as runtime:
        ask = cancel_and_refund(runtime, request) if request.parameters else None
        acts.run(runtime, request, dry_run=dry_run, yes=yes, as_json=as_json, ask=ask)


@app.command("pause")
def pause(
    code: Code,
    at: At = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Resume it by itself on this date.")] = None,
    reason: Reason = "paused by hand",
    comment: Comment = None,
    idempotency_key: Key = None,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Pause a subscription at the end of its period, or --at now, or on a date: nothing is charged until it resumes."""
    from worker.changes.request import ChangeRequest
    from worker.cli.context import command_runtime

    request = ChangeRequest(
        kind=ChangeKind.PAUSE,
        subscription=code,
        parameters={} if until is None else {"until": until},
        when=acts.read_at(at),
        reason=reason,
        comment=comment,
        idempotency_key=idempotency_key,
    )
    with command_runtime(as_json=as_json) as runtime:
        acts.run(runtime, request, dry_run=dry_run, yes=yes, as_json=as_json)


@app.command("resume")
def resume(
    code: Code,
    at: At = None,
    reason: Reason = "resumed by hand",
    idempotency_key: Key = None,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Resume a paused subscription from its next period on. Periods during the pause are not owed; open charges are."""
    from worker.changes.request import ChangeRequest
    from worker.cli.context import command_runtime

    request = ChangeRequest(
        kind=ChangeKind.RESUME,
        subscription=code,
        when=acts.read_at(at),
        reason=reason,
        idempotency_key=idempotency_key,
    )
    with command_runtime(as_json=as_json) as runtime:
        acts.run(runtime, request, dry_run=dry_run, yes=yes, as_json=as_json)
