"""`again charge refund` and `again change approve`: money goes back, above a limit with a second operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli import acts, change, confirm, console
from worker.cli.acts import Comment, DryRun, Key, Yes
from worker.cli.charge import app
from worker.cli.desk import with_desk
from worker.cli.options import Json, Reason
from worker.domain.changes import ChangeKind, ChangeStatus

if TYPE_CHECKING:
    from worker.runtime import Runtime

__all__ = ["app", "approve", "refund", "settle_refund"]


@app.command("refund")
def refund(
    charge_id: Annotated[str, typer.Argument(metavar="ID", help="The charge's id, or the merchant_uid of an attempt.")],
    amount: Annotated[int | None, typer.Option(metavar="N", help="So much of it, in won; without, all of it.")] = None,
    tax_free: Annotated[int | None, typer.Option(metavar="N", help="Its tax-free part, if not in proportion.")] = None,
    vat_amount: Annotated[int | None, typer.Option(metavar="N", help="Its VAT, if not in proportion.")] = None,
    reason: Reason = "refunded by hand",
    comment: Comment = None,
    idempotency_key: Key = None,
    *,
    unused_days: Annotated[bool, typer.Option("--unused-days", help="What falls to its unused days.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Refund a payment: all that is left of it, an amount, or what falls to its unused days. Asks PortOne first."""
    from worker.changes.request import ChangeRequest
    from worker.cli.context import command_runtime

    sums = {"amount": amount, "tax_free": tax_free, "vat_amount": vat_amount}
    parameters: dict[str, Any] = {name: value for name, value in sums.items() if value is not None}
    with command_runtime(as_json=as_json) as runtime:
        id_ = _charge_id(runtime, charge_id)
        request = ChangeRequest(
            kind=ChangeKind.REFUND,
            charge=id_,
            parameters=parameters | ({"unused_days": True} if unused_days else {}),
            reason=reason,
            comment=comment,
            idempotency_key=idempotency_key,
        )
        with_desk(runtime, lambda desk: desk.notice(id_))
        acts.run(
            runtime,
            request,
            dry_run=dry_run,
            yes=yes,
            as_json=as_json,
            ask=lambda agreed: with_desk(runtime, lambda desk: desk.refund_payment(agreed)),
        )


@app.command("settle-refund")
def settle_refund(
    charge_id: Annotated[str, typer.Argument(metavar="ID", help="The charge's id, or the merchant_uid of an attempt.")],
    reason: Reason,
    *,
    completed: Annotated[bool, typer.Option("--completed/--refused", help="Whether PortOne has refunded it.")],
    as_json: Json = False,
) -> None:
    """Settle a refund that waits for an operator, by what PortOne's console shows. Moves no money."""
    from worker.cli.context import command_runtime

    with command_runtime(as_json=as_json) as runtime:
        id_ = _charge_id(runtime, charge_id)
        settled = with_desk(runtime, lambda desk: desk.settle_by_hand(id_, completed=completed, reason=reason))
    if as_json:
        console.print_json({"charge": id_, "status": settled.status, "reason": settled.reason})
    else:
        console.say(f"The refund of charge {id_} is {settled.status}: {settled.reason}.")


@change.app.command("approve")
def approve(change_id: change.Id, *, yes: Yes = False, as_json: Json = False) -> None:
    """Approve a refund that waits for a second operator; it is carried out at once."""
    from worker.changes import queries
    from worker.changes.undo import not_found
    from worker.cli.context import command_runtime

    with command_runtime(as_json=as_json) as runtime:
        id_ = change.read_change_id(change_id)
        with runtime.sessions() as session:
            row = queries.shown(session, id_)
        if row is None:
            raise not_found(change_id)
        with_desk(runtime, lambda desk: desk.require_approvable(id_))
        if not yes:
            sentence = row["preview"]["sentence"]["en"]
            question = f"{sentence} Asked for by {row['requested_by']}: {row['reason']}.\nApprove it?"
            confirm.require(question, unasked=f"Money would move ({sentence})", declined="Nothing was changed.")
        approved = with_desk(runtime, lambda desk: desk.approve(id_))
    if as_json:
        console.print_json({"change": approved.id, "status": approved.status, "waits_for": approved.waits_for})
    elif approved.status is ChangeStatus.APPLIED:
        console.say(f"Change {approved.id} is approved, and done: {approved.status_reason}.")
    else:
        console.say(f"Change {approved.id} is approved. It is at PortOne; see `again change show {approved.id}`.")


def _charge_id(runtime: Runtime, text: str) -> int:
    from worker.domain.errors import Refused
    from worker.domain.identifiers import read_id
    from worker.ledger import history

    with runtime.sessions() as session:
        found = read_id(text) or history.charge_of(session, text)
    if found is None:
        raise Refused(f"There is no charge with the id or merchant_uid {text!r:.60}. `again charge list` shows some.")
    return found
