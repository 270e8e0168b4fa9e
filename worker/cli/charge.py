"""`again charge`: what is owed for a period, every attempt to collect it, and what happens next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli import console, formats
from worker.cli.audit import print_audit
from worker.cli.options import Json, Limit
from worker.domain.states import ChargeStatus, Via

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from worker.ledger.history import ChargeDetails

app = typer.Typer(help="Charges: what is owed, what was paid, and why a charge waits.", no_args_is_help=True)


@app.command("list")
def list_charges(
    status: Annotated[ChargeStatus | None, typer.Option(help="Only this status.")] = None,
    subscription: Annotated[str | None, typer.Option(metavar="CODE", help="Only this subscription.")] = None,
    limit: Limit = 50,
    *,
    as_json: Json = False,
) -> None:
    """List charges."""
    from worker.cli.context import command_runtime
    from worker.domain.identifiers import read_code
    from worker.ledger import history

    code = None if subscription is None else read_code(subscription)
    with command_runtime(as_json=as_json) as runtime, runtime.sessions() as session:
        now = runtime.clock()
        charges = history.charges(session, status=status, subscription=code, limit=limit, now=now)
    if as_json:
        console.print_json(charges)
    else:
        print_charges(charges)


@app.command("show")
def show(
    charge: Annotated[str, typer.Argument(metavar="ID", help="The charge's id, or the merchant_uid of an attempt.")],
    *,
    as_json: Json = False,
) -> None:
    """Show a charge with every attempt, why it waits, and what happens next."""
    from worker.cli.context import command_runtime
    from worker.cli.refund_details import refunds_of
    from worker.ledger import history
    from worker.ledger.new_charges import items_of
    from worker.operations.charge_state import charge_state
    from worker.operations.explain_charge import explain_charge
    from worker.review import queries as review_queries

    with command_runtime(as_json=as_json) as runtime, runtime.sessions() as session:
        now = runtime.clock()
        row = _found(session, charge, now)
        attempts = history.attempts(session, row.id)
        audit = history.charge_story(session, row.id)
        items = [asdict(item) for item in items_of(session, row.id)]
        discrepancies = [asdict(each) for each in review_queries.open_discrepancies_of(session, row.id)]
        refunds = refunds_of(session, row.id, row.refunded)
    sentence = explain_charge(charge_state(row, attempts), now=now, shown=formats.in_zone(row.time_zone))
    hidden = {"first_charge_id", "discrepancy_id"}  # the sentence tells them
    shown = {**{name: value for name, value in asdict(row).items() if name not in hidden}, "items": items}
    if as_json:
        console.print_json(
            {
                **shown,
                "next": sentence,
                "discrepancies": discrepancies,
                "attempts": attempts,
                **refunds.document(),
                "audit": audit,
            }
        )
    else:
        _print({**shown, "discrepancies": discrepancies}, sentence, attempts)
        refunds.print_them(row.time_zone)
        console.head("History")
        print_audit(audit, row.time_zone)


@app.command("requeue")
def requeue(*, as_json: Json = False) -> None:
    """Put charges that no claim finds, or another PG's finds, into the queue of their PG."""
    from worker.cli.context import command_runtime
    from worker.operations.requeue import requeue

    with command_runtime(as_json=as_json) as runtime:
        count = requeue(runtime.sessions)
    if as_json:
        console.print_json({"requeued": count})
    else:
        console.say(f"{count:,} charges were put into the queue of their PG.")


def print_charges(charges: Sequence[Mapping[str, Any]]) -> None:
    """Print charges, one a line; what was refunded has a column where any was."""
    refunds = any(row["refunded"] for row in charges)
    console.table(
        "ID",
        "SUBSCRIPTION",
        "FROM",
        "AMOUNT",
        *(["REFUNDED"] if refunds else []),
        "STATUS",
        "WHEN",
        rows=[
            (
                str(row["id"]),
                row["subscription"],
                formats.local_date(row["period_start"], row["time_zone"]),
                formats.money(row["amount"], row["currency"]),
                *([formats.money(row["refunded"], row["currency"]) if row["refunded"] else ""] if refunds else []),
                "paid elsewhere" if row["paid_elsewhere"] is not None else row["status"],
                _when(row),
            )
            for row in charges
        ],
        right=("ID", "AMOUNT", "REFUNDED") if refunds else ("ID", "AMOUNT"),
        whole=("ID", "SUBSCRIPTION", "AMOUNT", "STATUS"),
    )


def _when(row: Mapping[str, Any]) -> str:
    """Return when it was paid, is attempted next, or reached its status; the status tells which.

    In the zone of its plan, which is named: rows below each other may be of several.
    """
    if row["next_attempt_at"] is not None:
        return f"next {formats.local(row['next_attempt_at'], row['time_zone'])}"
    return formats.local(row["paid_at"] or row["status_at"], row["time_zone"])


def _found(session: Session, text: str, now: datetime) -> ChargeDetails:
    from worker.domain.errors import Refused
    from worker.domain.identifiers import read_id
    from worker.ledger import history

    charge_id = read_id(text) or history.charge_of(session, text)
    row = None if charge_id is None else history.charge(session, charge_id, now=now)
    if row is None:
        raise Refused(f"There is no charge with the id or merchant_uid {text!r:.60}. `again charge list` shows some.")
    return row


def _print(shown: Mapping[str, Any], sentence: str, attempts: Sequence[Mapping[str, Any]]) -> None:
    at = formats.in_zone(shown["time_zone"])
    key = "none" if shown["key_id"] is None else f"{shown['key_id']} ({shown['pg']}, {shown['key_status']})"
    console.details(
        {
            "charge": str(shown["id"]),
            "subscription": f"{shown['subscription']} ({shown['subscription_status']})",
            "customer": shown["customer_reference"],
            "key": key,
            "period": f"{at(shown['period_start'])} to {at(shown['period_end'])}",
            "amount": f"{formats.money(shown['amount'], shown['currency'])} ({shown['order_name']})",
            "items": _items(shown["items"], shown["currency"]),
            "refunded": formats.money(shown["refunded"], shown["currency"]) if shown["refunded"] else None,
            "status": f"{shown['status']} since {at(shown['status_at'])}",
            "paid elsewhere": shown["paid_elsewhere"],
            "lacks": _lacks(shown["gate_lacks"]),
            "released": _released(shown, at),
            "next": sentence,
            **{f"discrepancy {each['id']}": _discrepancy(each) for each in shown["discrepancies"]},
        }
    )
    print_attempts(attempts, shown["time_zone"])


def _items(items: Sequence[Mapping[str, Any]], currency: str) -> str | None:
    """Return what a charge is made of, line by line; None when the plan, once, is all of it."""
    if len(items) == 1 and items[0]["quantity"] == 1:
        return None
    return "\n".join(
        f"{formats.spaced(each['kind'])}: {each['description']}"
        + (f" x {each['quantity']:,}" if each["quantity"] > 1 else "")
        + f", {formats.money(each['amount'], currency)}"
        for each in items
    )


def _lacks(codes: Sequence[str] | None) -> str | None:
    """Return what the consent gate has found lacking, a line each."""
    from worker.domain.consent_gate.rules import BY_CODE, RuleCode

    return "\n".join(BY_CODE[RuleCode(code)].lacks.en for code in codes) if codes else None


def _released(shown: Mapping[str, Any], at: Callable[[datetime], str]) -> str | None:
    """Return when and how the consent gate let a charge go that it had held."""
    if shown["gate_released_by"] is None:
        return None
    return f"by the consent gate, {at(shown['gate_released_at'])}: {formats.spaced(shown['gate_released_by'])}"


def print_attempts(attempts: Sequence[Mapping[str, Any]], zone: str) -> None:
    """Print the attempts of a charge, and what came of each."""
    if attempts:
        console.head("Attempts")
    for attempt in attempts:
        _print_attempt(attempt, zone)


def _discrepancy(discrepancy: Mapping[str, Any]) -> str:
    return f"{formats.spaced(discrepancy['kind'])}; see `again review show {discrepancy['id']}`"


def _print_attempt(attempt: Mapping[str, Any], zone: str) -> None:
    verb = "opened" if attempt["via"] == Via.WINDOW else "sent"
    sends = f"{verb} once" if attempt["sends"] == 1 else f"{verb} {attempt['sends']} times"
    console.details(
        {
            f"{attempt['number']}": f"{attempt['status']} ({attempt['status_reason']}), {sends}",
            "  merchant_uid": attempt["merchant_uid"],
            "  started": formats.local(attempt["started_at"], zone),
            "  settled": formats.local(attempt["settled_at"], zone) or None,
            **_said(attempt),
            "  imp_uid": attempt["imp_uid"],
            "  receipt": attempt["receipt_url"],
            "  window until": formats.local(attempt["window_until"], zone) or None,
            "  flagged": attempt["flag_reason"],
        }
    )


def _said(attempt: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the last answer. With neither an HTTP status nor a payment there was none, and the text is ours."""
    status = attempt["payment_status"]
    code = None if attempt["code"] == status else attempt["code"]
    said = " ".join(filter(None, (code, status, attempt["message"])))
    if attempt["http_status"] is None and status is None:
        return {"  no answer": said} if said else {}
    http = "" if attempt["http_status"] is None else f"HTTP {attempt['http_status']}: "
    return {"  PortOne said": f"{http}{said or 'nothing'}"}
