"""`again change`: what is to be done to subscriptions and charges, and what was done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from worker.cli import console, formats
from worker.cli.options import Json, Limit, Reason
from worker.domain.changes import ChangeKind, ChangeStatus

app = typer.Typer(
    help="Changes: what is to come, what was done, and undoing what is not done yet.", no_args_is_help=True
)

Id = Annotated[str, typer.Argument(metavar="ID", help="The change's id.")]


@app.command("list")
def list_changes(
    subscription: Annotated[str | None, typer.Option(metavar="CODE", help="Only this subscription.")] = None,
    kind: Annotated[ChangeKind | None, typer.Option(help="Only this kind.")] = None,
    status: Annotated[ChangeStatus | None, typer.Option(help="Only this status.")] = None,
    limit: Limit = 50,
    *,
    as_json: Json = False,
) -> None:
    """List changes; with --status scheduled, the next one first."""
    from worker.changes import queries
    from worker.cli.context import command_runtime
    from worker.domain.identifiers import read_code

    code = None if subscription is None else read_code(subscription)
    with command_runtime(as_json=as_json) as runtime, runtime.sessions() as session:
        listed = queries.listed(session, subscription=code, kind=kind, status=status, limit=limit)
    if as_json:
        console.print_json(listed)
        return
    console.table(
        "ID",
        "SUBSCRIPTION",
        "CHARGE",
        "KIND",
        "STATUS",
        "TAKES EFFECT",
        "BY",
        rows=[
            (
                str(row["id"]),
                row["subscription"],
                "" if row["charge"] is None else str(row["charge"]),
                formats.spaced(row["kind"]),
                _status(row),
                formats.local(row["effective_at"], row["time_zone"]),
                row["requested_by"],
            )
            for row in listed
        ],
        right=("ID", "CHARGE"),
        whole=("ID", "SUBSCRIPTION", "KIND", "STATUS"),
    )


@app.command("show")
def show(change: Id, *, as_json: Json = False) -> None:
    """Show a change: who asked for it, why, what it comes to, and what became of it."""
    from worker.changes import queries
    from worker.changes.undo import not_found
    from worker.cli.context import command_runtime
    from worker.ledger import history

    with command_runtime(as_json=as_json) as runtime, runtime.sessions() as session:
        row = queries.shown(session, read_change_id(change))
        if row is None:
            raise not_found(change)
        audit = history.audit(session, "change", row["id"])
    if as_json:
        console.print_json({**row, "audit": audit})
    else:
        _print(row)


@app.command("undo")
def undo(change: Id, reason: Reason = "undone by hand", *, as_json: Json = False) -> None:
    """Undo a change that is still scheduled."""
    from worker.changes.undo import undo_change
    from worker.cli.context import command_runtime

    with command_runtime(as_json=as_json) as runtime:
        undone = undo_change(
            runtime.sessions, read_change_id(change), reason=reason, policy=runtime.change_policy, now=runtime.clock()
        )
    if as_json:
        console.print_json({"change": undone.id, "kind": undone.kind, "status": undone.status})
    else:
        console.say(f"Change {undone.id} of subscription {undone.code} is undone: it will not take effect.")


@app.command("agree")
def agree(
    change: Id,
    wording: Annotated[str, typer.Option(help="What the customer agreed to, by the name or version of its text.")],
    *,
    as_json: Json = False,
) -> None:
    """Write down that the customer has agreed to a change that waits for their consent, such as a price rise."""
    from worker.changes.consent import agree_to_change
    from worker.cli.context import command_runtime
    from worker.domain.states import ConsentSource

    with command_runtime(as_json=as_json) as runtime:
        agreed = agree_to_change(
            runtime.sessions,
            read_change_id(change),
            wording=wording,
            source=ConsentSource.OPERATOR,
            policy=runtime.change_policy,
            now=runtime.clock(),
        )
    if as_json:
        console.print_json({"change": agreed.id, "kind": agreed.kind, "status": agreed.status})
    else:
        console.say(f"The customer's consent to change {agreed.id} is on record. {agreed.preview['sentence']['en']}")


def read_change_id(text: str) -> int:
    """Return the id of a change as it was typed. Raises Refused for what is none."""
    from worker.changes.undo import not_found
    from worker.domain.identifiers import read_id

    found = read_id(text)
    if found is None:
        raise not_found(text)
    return found


def _status(row: Mapping[str, Any]) -> str:
    return row["status"] if row["waits_for"] is None else f"waits for {row['waits_for']}"


def _became(row: Mapping[str, Any]) -> str | None:
    """Return why its status is what it is, where that is not said already."""
    said = row["status_reason"]
    return None if row["status"] == "scheduled" or said == row["preview"]["sentence"]["en"] else said


def _print(row: Mapping[str, Any]) -> None:
    at = formats.in_zone(row["time_zone"])
    console.details(
        {
            "change": str(row["id"]),
            "kind": formats.spaced(row["kind"]),
            "subscription": row["subscription"],
            "charge": None if row["charge"] is None else str(row["charge"]),
            "parameters": ", ".join(f"{name}={value}" for name, value in row["parameters"].items()) or None,
            "takes effect": at(row["effective_at"]),
            "status": f"{_status(row)} since {at(row['status_at'])}",
            "what became of it": _became(row),
            "what was shown": row["preview"]["sentence"]["en"],
            "asked by": f"{row['requested_by']} on {at(row['created_at'])}",
            "reason": row["reason"],
            "comment": row["comment"],
            "approved by": row["approved_by"],
            "idempotency key": row["idempotency_key"],
        }
    )
