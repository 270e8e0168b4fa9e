"""`again bulk`: one act on every row of a file or of a filter; dry run first, and a record of what became of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli import confirm, console, formats
from worker.cli.acts import At, DryRun, Yes, read_at
from worker.cli.options import Json, Limit, Reason
from worker.domain.changes import BulkRowStatus, ChangeKind
from worker.domain.states import SubscriptionStatus

if TYPE_CHECKING:
    from worker.changes.bulk import BulkTotals
    from worker.runtime import Runtime

app = typer.Typer(help="Bulk runs: one act on many subscriptions or charges.", no_args_is_help=True)

Id = Annotated[int, typer.Argument(metavar="ID", help="The run's id.")]


@app.command("run")
def run(
    act: Annotated[
        ChangeKind, typer.Argument(metavar="ACT", help="The kind of change, as `again change list` has it.")
    ],
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="CSV", help="A column `subscription` or `charge`, and one per parameter."),
    ] = None,
    plan: Annotated[str | None, typer.Option(metavar="CODE", help="Every subscription of this plan ...")] = None,
    status: Annotated[SubscriptionStatus | None, typer.Option(help="... of this status.")] = None,
    given: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter for every row.")
    ] = None,
    at: At = None,
    reason: Reason = "in bulk",
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Do one act on many rows. First a dry run is printed; then it asks, and goes through them."""
    from worker.changes.bulk import BulkAct, preview_bulk, start_bulk
    from worker.changes.bulk_rows import items_of_file, items_of_filter, parameters_of
    from worker.cli.context import command_runtime
    from worker.domain.errors import Refused

    if (file is None) == (plan is None):
        raise Refused("Say what is worked on: --file CSV, or --plan CODE with or without --status.")
    wanted = BulkAct(kind=act, parameters=parameters_of(given or ()), when=read_at(at), reason=reason)
    with command_runtime(as_json=as_json) as runtime:
        if file is not None:
            items = items_of_file(file, act)
        else:
            items = items_of_filter(runtime.sessions, act, plan=plan or "", status=status)
        with console.live_line("looking ahead ...", shown=not as_json) as update:
            totals = preview_bulk(
                runtime.sessions,
                wanted,
                items,
                policy=runtime.change_policy,
                now=runtime.clock(),
                progress=lambda seen: update(f"dry run: {seen.seen:,} of {seen.rows:,}"),
            )
        if dry_run or not items:
            _print_totals(totals, None, as_json=as_json)
            return
        if not yes:
            _print_totals(totals, None, as_json=False)
            confirm.require("Do it?", unasked="Many rows would change", declined="Nothing was changed.")
        bulk_id = start_bulk(runtime.sessions, wanted, items, now=runtime.clock())
        _print_totals(_work(runtime, bulk_id, shown=not as_json), bulk_id, as_json=as_json)


@app.command("resume")
def resume(bulk: Id, *, as_json: Json = False) -> None:
    """Go on with a run that was ended before all of its rows were done."""
    from worker.changes.bulk import known_run
    from worker.changes.price_move import go_on_moving
    from worker.cli.context import command_runtime

    with command_runtime(as_json=as_json) as runtime:
        known = known_run(runtime.sessions, bulk)
        if known.kind is ChangeKind.CHANGE_PRICE and "version" in known.parameters:
            moved = go_on_moving(runtime.sessions, bulk, max_amount=runtime.settings.max_amount, now=runtime.clock())
            console.say(f"{formats.counted(moved.moved, 'subscription')} moved; `again bulk show {bulk}` lists each.")
            return
        _print_totals(_work(runtime, bulk, shown=not as_json), bulk, as_json=as_json)


@app.command("list")
def list_runs(limit: Limit = 50, *, as_json: Json = False) -> None:
    """List bulk runs."""
    from worker.changes import bulk_queries
    from worker.cli.context import command_runtime

    with command_runtime(as_json=as_json) as runtime, runtime.sessions() as session:
        listed = bulk_queries.runs(session, limit=limit)
    if as_json:
        console.print_json(listed)
        return
    console.table(
        "ID",
        "ACT",
        "STARTED",
        "FINISHED",
        "BY",
        "REASON",
        rows=[
            (
                str(row["id"]),
                formats.spaced(row["kind"]),
                formats.local(row["started_at"], "Asia/Seoul"),
                formats.local(row["finished_at"], "Asia/Seoul") or f"`again bulk resume {row['id']}`",
                row["started_by"],
                row["reason"],
            )
            for row in listed
        ],
        right=("ID",),
    )


@app.command("show")
def show(
    bulk: Id,
    status: Annotated[BulkRowStatus | None, typer.Option(help="Only rows of this status.")] = None,
    limit: Limit = 50,
    *,
    as_json: Json = False,
) -> None:
    """Show what became of each row of a run."""
    from worker.changes import bulk_queries
    from worker.changes.bulk import known_run
    from worker.cli.context import command_runtime

    with command_runtime(as_json=as_json) as runtime:
        known_run(runtime.sessions, bulk)
        with runtime.sessions() as session:
            counts = bulk_queries.counts(session, bulk)
            rows = bulk_queries.rows(session, bulk, status=status, limit=limit)
    if as_json:
        console.print_json({"bulk": bulk, "counts": counts, "rows": rows})
        return
    console.say(", ".join(f"{count:,} {each}" for each, count in sorted(counts.items())) or "no rows")
    console.table(
        "ROW",
        "SUBJECT",
        "STATUS",
        "CHANGE",
        "REASON",
        rows=[
            (
                str(row["number"]),
                row["subject"],
                row["status"],
                "" if row["change_id"] is None else str(row["change_id"]),
                row["reason"] or "",
            )
            for row in rows
        ],
        right=("ROW", "CHANGE"),
    )


def _work(runtime: Runtime, bulk_id: int, *, shown: bool) -> BulkTotals:
    from worker.changes.bulk import work_on

    with console.live_line("working ...", shown=shown) as update:
        try:
            return work_on(
                runtime.sessions,
                bulk_id,
                policy=runtime.change_policy,
                clock=runtime.clock,
                progress=lambda seen: update(f"{seen.seen:,} of {seen.rows:,} rows"),
            )
        except KeyboardInterrupt:
            console.complain(f"Ended; `again bulk resume {bulk_id}` goes on where it stopped.")
            raise typer.Exit(1) from None


def _print_totals(totals: BulkTotals, bulk_id: int | None, *, as_json: bool) -> None:
    sums = {
        "charged": totals.charged,
        "refunded": totals.refunded,
        "credited": totals.credited,
        "no_longer_owed": totals.no_longer_owed,
    }
    if as_json:
        document: dict[str, Any] = {"bulk": bulk_id, "rows": totals.rows, "done": totals.done, **sums}
        console.print_json({**document, "refused": dict(totals.refused)})
        return
    if not totals.rows:
        console.say("There is no row to work on: no subscription is meant by that, or the file has no rows.")
        return
    verb = "would be done" if bulk_id is None else "done"
    console.say(f"{totals.done:,} of {formats.counted(totals.rows, 'row')} {verb}.")
    console.details({formats.spaced(name): formats.money(amount) for name, amount in sums.items() if amount})
    for why, count in totals.refused.most_common(10):
        console.say(f"{count:,} refused: {why}")
    if bulk_id is not None:
        console.say(f"`again bulk show {bulk_id}` lists each row.")
