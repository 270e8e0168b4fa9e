"""Following a sweep: a command works on it beside the workers and shows its progress."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from time import sleep
from typing import TYPE_CHECKING

import typer

from worker.cli import console, formats
from worker.cli.exits import ExitCode, NotReachable

if TYPE_CHECKING:
    from worker.database.tables.operations import Sweep
    from worker.reconciliation.statement import StatementRun
    from worker.runtime import Runtime

POLL_SECONDS = 1.0
SHARE = timedelta(seconds=10)
"""How often a command prints its progress; a time slice that is being read is read to its end."""

MAX_TRIES = 5
"""Attempts in a row to read PortOne's list without progress after which a command gives up."""


def follow(runtime: Runtime, sweep_id: int, *, shown: bool) -> Sweep:
    """Carry on until the sweep has ended. Raises NotReachable when PortOne's list cannot be read."""
    failures: list[str] = []
    with console.live_line("comparing ...", shown=shown) as update:
        try:
            while (row := _row(runtime, sweep_id)).finished_at is None:
                update(_progress(row, failures))
                swept = _carry_on(runtime, row)
                failures = _failures(failures, swept, row)
                if len(failures) >= MAX_TRIES:
                    raise NotReachable(_given_up(row, failures[-1]))
        except KeyboardInterrupt:
            console.complain("Not waited for; a worker carries on, and `again status` shows how far it is.")
            raise typer.Exit(ExitCode.REFUSED) from None
    return row


def _carry_on(runtime: Runtime, row: Sweep) -> StatementRun:
    """Do a worker's share; when a worker is at it, or the end is still ahead, wait a moment."""
    from worker.reconciliation.statement import reconcile_statement

    async def share() -> StatementRun:
        gateway = runtime.gateway()
        try:
            return await reconcile_statement(
                runtime.sessions,
                gateway,
                clock=runtime.clock,
                policy=runtime.statement_policy,
                budget=SHARE,
                stopping=lambda: False,
                only=row.id,
            )
        finally:
            await gateway.aclose()

    swept = asyncio.run(share())
    if swept.ended not in {"time budget spent", "finished"}:
        sleep(POLL_SECONDS)
    return swept


def _failures(before: list[str], swept: StatementRun, row: Sweep) -> list[str]:
    """Count what failed in a row; while a worker is at it, there is nothing to count."""
    if swept.sweep is None:
        return before
    if swept.failure and swept.position == row.position.isoformat():
        return [*before, swept.failure]
    return [swept.failure] if swept.failure else []


def _row(runtime: Runtime, sweep_id: int) -> Sweep:
    from worker.reconciliation import queries as reconciliation_queries

    with runtime.sessions() as session:
        row = reconciliation_queries.find_sweep(session, sweep_id)
    assert row is not None, "sweeps are never deleted"
    return row


def _progress(row: Sweep, failures: list[str]) -> str:
    held = f"; nothing is charged until {formats.local(row.until, 'Asia/Seoul')}" if row.holds_claims else ""
    failed = f"; PortOne's list could not be read just now: {failures[-1]}" if failures else ""
    compared = formats.counted(row.payments, "payment")
    return f"{compared} compared, up to {formats.local(row.position, 'Asia/Seoul')}{held}{failed}"


def _given_up(row: Sweep, failure: str) -> str:
    then = "Workers carry on with it"
    if row.holds_claims:
        then = "Nothing is charged until it has ended: workers carry on, and `again sweep --release` is the way out"
    return (
        f"PortOne's list of payments could not be read {MAX_TRIES} times in a row: {failure.rstrip('.')}. "
        f"The sweep stands. {then}; `again status` shows how far it is, and `again doctor` whether PortOne answers."
    )
