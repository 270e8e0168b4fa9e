"""`again key`: billing keys, which are shown by id, label and a masked customer_uid."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli import console, formats
from worker.cli.import_notes import unmet_requirement
from worker.cli.key_revival import revive
from worker.cli.options import Json, Limit, read_key
from worker.domain.states import BillingKeyStatus
from worker.pg.catalog import PGS

app = typer.Typer(help="Billing keys (customer_uid): handle them like card data.", no_args_is_help=True)


@app.command("add")
def add(
    customer_uid: Annotated[
        str,
        typer.Argument(
            metavar="CUSTOMER_UID", help="customer_uid as registered at PortOne; - reads it from standard input."
        ),
    ],
    pg: Annotated[str, typer.Option(help=f"PortOne's code of the PG: {', '.join(PGS)}.")],
    channel_key: Annotated[str, typer.Option(help="Channel key, if PortOne has several channels of the PG.")] = "",
    label: Annotated[str, typer.Option(help="Label, such as a masked card number.")] = "",
    *,
    as_json: Json = False,
) -> None:
    """Add a billing key that is registered at PortOne.

    Again takes no card data and issues no keys: customers register theirs in a payment window (`again checkout link`),
    or on a page of yours that may handle card data and calls PortOne's API.
    """
    from worker.cli.context import command_runtime
    from worker.domain.identifiers import masked
    from worker.subscriptions.billing_keys import NewKey, add_key

    customer_uid = read_key(customer_uid)
    key = NewKey(customer_uid=customer_uid, pg=pg, channel_key=channel_key, label=label.strip())
    with command_runtime(as_json=as_json) as runtime:
        key_id = add_key(runtime.sessions, key, now=runtime.clock())
    if (note := unmet_requirement(pg)) is not None and not as_json:
        console.note(note)
    if as_json:
        console.print_json({"id": key_id, "customer_uid": masked(customer_uid), "pg": pg, "label": key.label})
    else:
        console.say(f"Billing key {key_id} added ({PGS[pg].name}, {masked(customer_uid)}).")


@app.command("list")
def list_keys(
    status: Annotated[BillingKeyStatus | None, typer.Option(help="Only keys of this status.")] = None,
    limit: Limit = 50,
    *,
    as_json: Json = False,
) -> None:
    """List billing keys."""
    from worker.cli.context import command_runtime
    from worker.subscriptions import key_queries

    with command_runtime(as_json=as_json) as runtime:
        now = runtime.clock()
        with runtime.sessions() as session:
            keys = key_queries.listed(session, status=status, limit=limit)
    if as_json:
        console.print_json(keys)
        return
    console.table(
        "ID",
        "CUSTOMER_UID",
        "PG",
        "LABEL",
        "STATUS",
        "SINCE",
        "REASON",
        rows=[
            (
                str(key["id"]),
                key["customer_uid"],
                key["pg"],
                key["label"],
                key["status"],
                formats.age(key["status_at"], now),
                key["status_reason"],
            )
            for key in keys
        ],
        right=("ID",),
        whole=("ID", "CUSTOMER_UID", "PG", "STATUS", "SINCE"),
    )


app.command("revive")(revive)
