"""`again review`: discrepancies between PortOne and our records, their evidence, and the operator's decision."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from worker.cli import confirm, console
from worker.cli.options import Json, Limit
from worker.config.terminal import plain
from worker.domain.discrepancy_rules import DiscrepancyKind, DiscrepancyStatus
from worker.review.case import Decision

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from worker.review.case import Case
    from worker.review.resolve import Resolution, ReviewService
    from worker.runtime import Runtime

app = typer.Typer(help="Discrepancies between PortOne and our records.", no_args_is_help=True)

T = TypeVar("T")
MAX_NOTE = 200  # characters; PortOne shows them in its console

Id = Annotated[str, typer.Argument(metavar="ID", help="The discrepancy's id, as `again review list` shows it.")]


@app.command("list")
def list_discrepancies(
    all_too: Annotated[bool, typer.Option("--all", help="Include closed ones.")] = False,
    kind: Annotated[DiscrepancyKind | None, typer.Option(help="Only this kind.")] = None,
    limit: Limit = 50,
    *,
    as_json: Json = False,
) -> None:
    """List discrepancies that wait for a decision."""
    from worker.cli.context import command_runtime
    from worker.cli.review_details import print_discrepancies
    from worker.review import queries as reviews

    with command_runtime(as_json=as_json) as runtime, runtime.sessions() as session:
        discrepancies = reviews.list_discrepancies(session, kind=kind, closed_too=all_too, limit=limit)
    if as_json:
        console.print_json([asdict(each) for each in discrepancies])
    else:
        print_discrepancies(discrepancies)


@app.command("show")
def show(discrepancy: Id, *, as_json: Json = False) -> None:
    """Show what our records say, what PortOne says now, and what each decision would do."""
    from worker.cli.context import command_runtime
    from worker.cli.review_details import document, print_details, read

    with command_runtime(as_json=as_json) as runtime:
        case = _with_review(runtime, discrepancy, lambda review, id_: review.examine(id_))
        with runtime.sessions() as session:
            details = read(session, case)
    if as_json:
        console.print_json(document(case, details))
    else:
        print_details(case, details)


@app.command("resolve")
def resolve(
    discrepancy: Id,
    decision: Annotated[
        Decision,
        typer.Argument(metavar="DECISION", help=f"{', '.join(Decision)}: `again review show` says what each would do."),
    ],
    note: Annotated[
        str, typer.Option(help="Reason; recorded in the audit, and sent to PortOne as the reason of a refund.")
    ],
    imp_uid: Annotated[str | None, typer.Option(help="Payment to be refunded or accepted.")] = None,
    tax_free: Annotated[int | None, typer.Option(help="Tax-free part of the refund, in won.")] = None,
    vat_amount: Annotated[
        int | None, typer.Option(help="VAT part of the refund, in won, if the payment stated its VAT.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before money moves.")] = False,
    *,
    as_json: Json = False,
) -> None:
    """Resolve a discrepancy. Asks before money moves."""
    from worker.cli.context import command_runtime
    from worker.review.case import DecisionRequest
    from worker.review.decisions import plan_step

    request = DecisionRequest(
        decision=decision, note=_note(note), imp_uid=imp_uid, tax_free=tax_free, vat_amount=vat_amount
    )
    with command_runtime(as_json=as_json) as runtime:
        case = _with_review(runtime, discrepancy, lambda review, id_: review.examine(id_))
        step = plan_step(case, request)
        if step.moves_money and not yes:
            question = f"{step.sentence}{_customer(runtime, case)}\nGo on?"
            confirm.require(question, unasked=f"Money would move ({step.sentence})", declined="Nothing was done.")
        resolution = _with_review(runtime, discrepancy, lambda review, id_: review.resolve(id_, request, agreed=step))
    _print(case, resolution, as_json=as_json)


def _with_review(runtime: Runtime, discrepancy: str, action: Callable[[ReviewService, int], Awaitable[T]]) -> T:
    """Run an action on one discrepancy, with a connection to PortOne."""
    from worker.cli.context import actor
    from worker.domain.errors import Refused
    from worker.domain.identifiers import read_id
    from worker.review.resolve import ReviewService

    id_ = read_id(discrepancy)
    if id_ is None:
        raise Refused(f"{discrepancy!r:.60} is not the id of a discrepancy. `again review list` shows them.")

    async def act() -> T:
        gateway = runtime.gateway()
        try:
            return await action(ReviewService(runtime.sessions, gateway, runtime.clock, runtime.policy, actor()), id_)
        finally:
            await gateway.aclose()

    return asyncio.run(act())


def _note(text: str) -> str:
    from worker.domain.errors import Refused

    note = " ".join(text.split())
    if not note or len(note) > MAX_NOTE:
        raise Refused(f"--note has {len(note)} characters; say why in 1 to {MAX_NOTE}.")
    return plain(note)


def _customer(runtime: Runtime, case: Case) -> str:
    """Return a sentence that names the subscription and customer; empty when our records have none."""
    from worker.review import queries as reviews

    with runtime.sessions() as session:
        row = reviews.find_details(session, case.id)
    if row is None or row.subscription is None:
        return ""
    customer = f", customer {row.customer_reference}" if row.customer_reference else ""
    return f" Subscription {row.subscription}{customer}."


def _print(case: Case, resolution: Resolution, *, as_json: bool) -> None:
    if as_json:
        console.print_json(
            {
                "id": case.id,
                "status": DiscrepancyStatus.OPEN if resolution.is_open else DiscrepancyStatus.RESOLVED,
                "done": resolution.sentence,
                "charge_id": resolution.charge_id,
                "charge_status": resolution.charge_status,
            }
        )
    else:
        console.say(f"Done. {resolution.sentence}")
        if resolution.charge_id is not None:
            console.say(f"Charge {resolution.charge_id} is {resolution.charge_status}.")
        console.say(f"Discrepancy {case.id} is {'still open' if resolution.is_open else 'resolved'}.")
