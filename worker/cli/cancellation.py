"""What became of the refund that came with a cancellation, and what a change waits for, as commands say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from worker.cli import console
from worker.cli.exits import ExitCode
from worker.domain.changes import ChangeKind, ChangeStatus, WaitsFor

if TYPE_CHECKING:
    from worker.ledger.changes import Change
    from worker.runtime import Runtime

WAITS = {
    WaitsFor.APPROVAL: "Change {id} waits until another operator approves it: `again change approve {id}`.",
    WaitsFor.CONSENT: "Change {id} waits for the customer's consent: `again change show {id}`.",
    WaitsFor.PORTONE: "What became of it at PortOne is not clear yet. It is looked up by itself, and done once: "
    "`again change show {id}`.",
}


def refund_of(runtime: Runtime, change: Change) -> Change | None:
    """Return the refund that came with a cancellation; None for any other change."""
    from worker.changes import cancelling

    if change.kind is not ChangeKind.CANCEL or not change.parameters.get("refund"):
        return None
    return cancelling.refund_of(runtime.sessions, change.id)


def document(refund: Change | None) -> dict[str, Any]:
    """Return what JSON says of the refund."""
    if refund is None:
        return {}
    shown = {"change": refund.id, "charge": refund.charge_id, "amount": refund.preview["refunded"]}
    return {"refund": shown | {"status": refund.status, "waits_for": refund.waits_for, "reason": refund.status_reason}}


def tell(refund: Change, *, as_json: bool) -> None:
    """Print what became of the refund. The command ends as refused when it has failed."""
    if refund.status is ChangeStatus.FAILED:
        console.complain(
            f"The subscription is canceled, but not refunded: {refund.status_reason}. "
            f"`again charge refund {refund.charge_id}` asks for another refund."
        )
        raise typer.Exit(ExitCode.REFUSED)
    if as_json:
        return
    if refund.waits_for is not None:
        console.say(WAITS[refund.waits_for].format(id=refund.id))
    else:
        console.say(f"The refund is change {refund.id}, which is {refund.status}: {refund.status_reason}.")
