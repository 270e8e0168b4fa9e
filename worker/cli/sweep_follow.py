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
    """Work on a sweep until it has finished. Raises NotReachable when PortOne's list cannot be read."""
    failures: list[str] = []
    with console.live_line("comparing ...", shown=shown) as update:
        try:
            while (row := _row(runtime, sweep_id)).finished_at is None:
                update(_progress(row, failures))
                run = _do_share(runtime, row)
                failures = _failures(failures, run, row)
                if len(failures) >= MAX_TRIES:
                    raise NotReachable(_given_up(row, failures[-1]))
        except KeyboardInterrupt:
            console.complain("No longer waiting. Workers continue the sweep, and `again status` shows its progress.")
            raise typer.Exit(ExitCode.REFUSED) from None
    return row


def _do_share(runtime: Runtime, row: Sweep) -> StatementRun:
    """Do a share of the sweep; wait a moment when a worker has it, or its end is still ahead."""
    from worker.reconciliation.slice_walk import FINISHED, TIME_SPENT
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

    run = asyncio.run(share())
    if run.ended not in {TIME_SPENT, FINISHED}:
        sleep(POLL_SECONDS)
    return run


def _failures(before: list[str], run: StatementRun, row: Sweep) -> list[str]:
    """Return the failures in a row, this run's included; a run that found a worker at it counts for nothing."""
    if run.sweep is None:
        return before
    if run.failure and run.position == row.position.isoformat():
        return [*before, run.failure]
    return [run.failure] if run.failure else []


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
    then = "Workers continue it"
    if row.holds_claims:
        then = (
            "Nothing is charged until it has finished: workers continue it, and `again sweep --release` lifts the hold"
        )
    return (
        f"PortOne's list of payments could not be read {MAX_TRIES} times in a row: {failure.rstrip('.')}. "
        f"The sweep is not lost. {then}; `again status` shows its progress, and `again doctor` whether PortOne answers."
    )
