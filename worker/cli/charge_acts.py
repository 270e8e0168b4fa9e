"""`again charge collect`, `postpone`, `void`, `write-off`, `paid-elsewhere`, `override`: what is done to one charge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from worker.cli import acts
from worker.cli.acts import At, Comment, DryRun, Key, Yes
from worker.cli.charge_refund import app
from worker.cli.options import Json, Reason
from worker.domain.changes import ChangeKind

__all__ = ["app"]

ChargeId = Annotated[int, typer.Argument(metavar="ID", min=1, help="The charge's id; `again charge list` shows it.")]


@app.command("collect")
def collect(
    charge: ChargeId,
    at: At = None,
    reason: Reason = "collected by hand",
    comment: Comment = None,
    idempotency_key: Key = None,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Charge what waits for its dunning day, or was given up, now or on a date. Asks first."""
    asked = _asked(ChangeKind.COLLECT, charge, at, reason, comment, idempotency_key)
    _run(asked, dry_run=dry_run, yes=yes, as_json=as_json)


@app.command("postpone")
def postpone(
    charge: ChargeId,
    until: Annotated[str, typer.Option(metavar="DATE", help="In the plan's zone; charged then, at the plan's hour.")],
    at: At = None,
    reason: Reason = "postponed by hand",
    comment: Comment = None,
    idempotency_key: Key = None,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Let a charge wait until a later date."""
    asked = _asked(ChangeKind.POSTPONE, charge, at, reason, comment, idempotency_key, {"until": until})
    _run(asked, dry_run=dry_run, yes=yes, as_json=as_json)


@app.command("void")
def void(
    charge: ChargeId,
    at: At = None,
    reason: Reason = "forgiven by hand",
    comment: Comment = None,
    idempotency_key: Key = None,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Forgive a charge: it is not owed any more, for good."""
    asked = _asked(ChangeKind.VOID, charge, at, reason, comment, idempotency_key)
    _run(asked, dry_run=dry_run, yes=yes, as_json=as_json)


@app.command("write-off")
def write_off(
    charge: ChargeId,
    at: At = None,
    reason: Reason = "written off by hand",
    comment: Comment = None,
    idempotency_key: Key = None,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Write a charge off: nothing is tried any more, but the customer can still pay it by a link."""
    asked = _asked(ChangeKind.WRITE_OFF, charge, at, reason, comment, idempotency_key)
    _run(asked, dry_run=dry_run, yes=yes, as_json=as_json)


@app.command("paid-elsewhere")
def paid_elsewhere(
    charge: ChargeId,
    reference: Annotated[str, typer.Option(metavar="TEXT", help="By what the accounts find the money.")],
    at: At = None,
    reason: Reason = "noted by hand",
    comment: Comment = None,
    idempotency_key: Key = None,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Take a charge as paid by bank transfer, in cash, or in any other way that PortOne does not see."""
    parameters = {"reference": reference}
    asked = _asked(ChangeKind.PAID_ELSEWHERE, charge, at, reason, comment, idempotency_key, parameters)
    _run(asked, dry_run=dry_run, yes=yes, as_json=as_json)


@app.command("override")
def override(
    charge: ChargeId,
    reason: Annotated[str, typer.Option(help="Why it may be made nevertheless; kept with the change and the audit.")],
    comment: Comment = None,
    idempotency_key: Key = None,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Make a charge that the consent gate holds, though a consent or a message is missing. Asks first."""
    asked = _asked(ChangeKind.OVERRIDE_GATE, charge, None, reason, comment, idempotency_key)
    _run(asked, dry_run=dry_run, yes=yes, as_json=as_json)


def _asked(
    kind: ChangeKind,
    charge: int,
    at: str | None,
    reason: str,
    comment: str | None,
    idempotency_key: str | None,
    parameters: Mapping[str, Any] | None = None,
) -> Mapping[str, Any]:
    return {
        "kind": kind,
        "charge": charge,
        "parameters": parameters or {},
        "when": at,
        "reason": reason,
        "comment": comment,
        "idempotency_key": idempotency_key,
    }


def _run(asked: Mapping[str, Any], *, dry_run: bool, yes: bool, as_json: bool) -> None:
    from worker.changes.request import ChangeRequest
    from worker.cli.context import command_runtime

    with command_runtime(as_json=as_json) as runtime:
        request = ChangeRequest(**{**asked, "when": acts.read_at(asked["when"])})
        acts.run(runtime, request, dry_run=dry_run, yes=yes, as_json=as_json)
