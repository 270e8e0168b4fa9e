"""`again sweep`: PortOne's payments against the books, now."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from time import sleep
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli import console, words
from worker.cli.exits import ExitCode
from worker.cli.options import Json

if TYPE_CHECKING:
    from worker.database.watch_models import Sweep
    from worker.runtime import Runtime

POLL_SECONDS = 1.0


def sweep(
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Compare from that day on (in Seoul).")
    ] = None,
    restored: Annotated[
        bool, typer.Option("--restored", help="The database is a restored backup: charge nothing until this has ended.")
    ] = False,
    *,
    as_json: Json = False,
) -> None:
    """Compare every payment that PortOne has with the books: adopt what is missing, name what differs.

    Workers do this every day, and by themselves before they charge in a database that was restored. Ctrl-C leaves the
    rest to them.
    """
    from worker.cli.database import database
    from worker.database import sweeps

    if restored and since is not None:
        raise typer.BadParameter("a restored database knows itself since when; leave out --since")
    with database(as_json=as_json) as runtime:
        sweep_id = _begin(runtime, since, restored=restored)
        with console.live_line("comparing ...", shown=not as_json) as update:
            try:
                while (row := _row(runtime, sweep_id)).finished_at is None:
                    update(_progress(row))
                    _carry_on(runtime, row)
            except KeyboardInterrupt:
                console.complain("Not waited for; a worker carries on, and `again status` shows how far it is.")
                raise typer.Exit(ExitCode.REFUSED) from None
        with runtime.sessions() as session:
            row = sweeps.named(session, sweep_id) or row
    _print(row, as_json=as_json)


def _begin(runtime: Runtime, since: datetime | None, *, restored: bool) -> int:
    from schedules.plans import SEOUL
    from worker.database import lineage, stops, sweeps
    from worker.stopping import PATIENCE

    now, policy = runtime.clock(), runtime.sweep_policy
    with runtime.sessions.begin() as session:
        if not restored:
            start = now - policy.span if since is None else since.replace(tzinfo=SEOUL).astimezone(UTC)
            start = min(start, now)
            return sweeps.begin(session, reason="by hand", holds_claims=False, since=start, until=now, now=now)
        sweep_id = lineage.declare_restored(session, runtime.watch, now=now)
    with runtime.sessions.begin() as session:
        stops.await_claims(session, patience=PATIENCE)
    return sweep_id


def _carry_on(runtime: Runtime, row: Sweep) -> None:
    """Do a worker's share; when a worker is at it, or the end is still ahead, wait a moment."""
    from worker.sweeping import sweep as sweep_payments

    async def share() -> str:
        gateway = runtime.gateway()
        try:
            swept = await sweep_payments(
                runtime.sessions,
                gateway,
                clock=runtime.clock,
                policy=runtime.sweep_policy,
                budget=timedelta(seconds=POLL_SECONDS),
                stopping=lambda: False,
                only=row.id,
            )
        finally:
            await gateway.aclose()
        return swept.ended

    if asyncio.run(share()) not in {"time budget spent", "finished"}:
        sleep(POLL_SECONDS)


def _row(runtime: Runtime, sweep_id: int) -> Sweep:
    from worker.database import sweeps

    with runtime.sessions() as session:
        row = sweeps.named(session, sweep_id)
    assert row is not None, "sweeps are never deleted"
    return row


def _progress(row: Sweep) -> str:
    held = f"; nothing is charged until {words.local(row.until, 'Asia/Seoul')}" if row.holds_claims else ""
    return f"{row.payments:,} payments compared, up to {words.local(row.position, 'Asia/Seoul')}{held}"


def _print(row: Sweep, *, as_json: bool) -> None:
    names = ("id", "reason", "since", "until", "payments", "strangers", "repaired", "found", "finished_at")
    if as_json:
        console.print_json({name: getattr(row, name) for name in names})
        return
    console.say(
        f"{row.payments:,} payments compared: {row.strangers:,} not ours, {row.repaired:,} repaired, "
        f"{row.found:,} new for a person."
    )
    if row.found:
        console.note("`again review list` shows them", style="yellow")
