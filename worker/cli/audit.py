"""The audit as people read it, and `again audit`: what operators did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from worker.cli import console, formats
from worker.cli.options import Json, Limit


def audit(
    about: Annotated[
        str,
        typer.Argument(
            metavar="KIND", help="Only stop, cap, sweep, plan, archive, discount, refund, change or destination."
        ),
    ] = "",
    limit: Limit = 50,
    *,
    as_json: Json = False,
) -> None:
    """List what operators do, with who and why: stops, sweeps, plans, discount codes, refunds, changes, destinations.

    Charges, keys and links show their own.
    """
    from worker.cli.context import command_runtime
    from worker.ledger import history

    if about and about not in history.ACTS:
        raise typer.BadParameter(f"nothing is kept about {about!r:.40}; give one of {', '.join(history.ACTS)}")
    with command_runtime(as_json=as_json) as runtime, runtime.sessions() as session:
        acts = history.operator_acts(session, about=about, limit=limit)
    if as_json:
        console.print_json(acts)
        return
    console.table(
        "AT",
        "ABOUT",
        "ACT",
        "REASON",
        "BY",
        rows=[
            (
                formats.local(row["at"], "Asia/Seoul"),
                f"{row['entity']} {row['name']}",
                row["to_status"],
                row["reason"],
                row["actor"],
            )
            for row in acts
        ],
        whole=("AT", "ACT"),
    )


def print_audit(audit: Sequence[Mapping[str, Any]], zone: str) -> None:
    """Print who changed a status, when and why."""
    console.table(
        "AT",
        "STATUS",
        "REASON",
        "BY",
        rows=[(formats.local(row["at"], zone), row["to_status"], row["reason"], row["actor"]) for row in audit],
        whole=("AT", "STATUS"),
    )
