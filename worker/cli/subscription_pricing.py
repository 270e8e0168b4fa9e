"""`again subscription discount`, `credit` and `add-item`: what its next charges differ by."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from worker.cli import acts
from worker.cli.acts import At, Comment, DryRun, Key, Yes
from worker.cli.options import Json, Reason
from worker.cli.subscription import Code
from worker.cli.subscription_lifecycle import app
from worker.domain.changes import ChangeKind

__all__ = ["app"]

Name = Annotated[str | None, typer.Option(help="What customers read; at most 40 characters.")]
Remove = Annotated[
    str | None, typer.Option(metavar="ID", help="Take it back instead, by its id in `again subscription show`.")
]


@app.command("discount")
def discount(
    code: Code,
    *,
    discount_code: Annotated[
        str | None, typer.Option("--code", metavar="CODE", help="A code of `again discount`.")
    ] = None,
    percent: Annotated[str | None, typer.Option(metavar="PERCENT", help="Whole percent off the plan's price.")] = None,
    amount: Annotated[str | None, typer.Option(metavar="WON", help="Whole won off the plan's price.")] = None,
    periods: Annotated[
        str | None, typer.Option(metavar="N", help="For this many charges; without it, for ever.")
    ] = None,
    name: Name = None,
    remove: Remove = None,
    at: At = None,
    reason: Reason = "given by hand",
    comment: Comment = None,
    idempotency_key: Key = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Discount a subscription from its next charge on; or take a discount back."""
    given = {"code": discount_code, "percent": percent, "amount": amount, "periods": periods, "name": name}
    terms = {**given, "remove": remove}
    asked = {"when": acts.read_at(at), "reason": reason, "comment": comment, "idempotency_key": idempotency_key}
    _request(ChangeKind.DISCOUNT, code, terms, asked, dry_run=dry_run, yes=yes, as_json=as_json)


@app.command("credit")
def credit(
    code: Code,
    *,
    amount: Annotated[str, typer.Option(metavar="WON", help="Whole won that the next charges use up.")],
    name: Name = None,
    at: At = None,
    reason: Reason = "given by hand",
    comment: Comment = None,
    idempotency_key: Key = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Add to a customer's credit: the next charges are that much less."""
    asked = {"when": acts.read_at(at), "reason": reason, "comment": comment, "idempotency_key": idempotency_key}
    terms = {"amount": amount, "name": name}
    _request(ChangeKind.CREDIT, code, terms, asked, dry_run=dry_run, yes=yes, as_json=as_json)


@app.command("add-item")
def add_item(
    code: Code,
    *,
    amount: Annotated[str | None, typer.Option(metavar="WON", help="Whole won, taxes included.")] = None,
    tax_free: Annotated[str | None, typer.Option(metavar="WON", help="The tax-free part of the amount.")] = None,
    name: Name = None,
    remove: Remove = None,
    at: At = None,
    reason: Reason = "added by hand",
    comment: Comment = None,
    idempotency_key: Key = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Charge something once, with the next charge: a set-up fee, an add-on; or take it back before that."""
    terms = {"amount": amount, "tax_free": tax_free, "name": name, "remove": remove}
    asked = {"when": acts.read_at(at), "reason": reason, "comment": comment, "idempotency_key": idempotency_key}
    _request(ChangeKind.ONE_OFF, code, terms, asked, dry_run=dry_run, yes=yes, as_json=as_json)


def _request(
    kind: ChangeKind,
    code: str,
    terms: dict[str, str | None],
    asked: dict[str, Any],
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    from worker.changes.request import ChangeRequest
    from worker.cli.context import command_runtime

    parameters = {name: value for name, value in terms.items() if value is not None}
    request = ChangeRequest(kind=kind, subscription=code, parameters=parameters, **asked)
    with command_runtime(as_json=as_json) as runtime:
        acts.run(runtime, request, dry_run=dry_run, yes=yes, as_json=as_json)
