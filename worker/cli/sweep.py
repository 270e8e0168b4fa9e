"""`again sweep`: reconcile PortOne's payments with our records now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli import console, formats
from worker.cli.options import Json, Reason

if TYPE_CHECKING:
    from worker.database.tables.operations import Sweep
    from worker.runtime import Runtime

MAX_AGE = timedelta(days=3660)
"""How far back a sweep may begin, as with AGAIN_SWEEP_DAYS."""


def sweep(
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="Reconcile payments since this day (in Seoul)."),
    ] = None,
    restored: Annotated[
        bool,
        typer.Option("--restored", help="The database is a restored backup: charge nothing until this has finished."),
    ] = False,
    release: Annotated[
        bool,
        typer.Option(
            "--release", help="Lift the charging hold now, before reconciliation has finished. Risk: double charges."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a release.")] = False,
    reason: Reason = "released by hand",
    *,
    as_json: Json = False,
) -> None:
    """Reconcile every payment at PortOne with our records: backfill what is missing, report discrepancies.

    Workers do this every day, and before they charge in a database that was restored.

    Ctrl-C leaves the rest to them. Add --since to --restored if the backup is older than it looks.
    """
    from worker.cli.context import command_runtime
    from worker.cli.sweep_follow import follow
    from worker.cli.sweep_release import release_holds

    if release and (restored or since is not None):
        raise typer.BadParameter("--release lifts the charging hold and compares nothing; give it alone")
    start = None if since is None else _start_of_day(since)
    with command_runtime(as_json=as_json) as runtime:
        if release:
            return release_holds(runtime, yes=yes, reason=reason, as_json=as_json)
        _require_past(start, runtime.clock())
        sweep_id = _start_sweep(runtime, start, restored=restored)
        row = follow(runtime, sweep_id, shown=not as_json)
    return _print(row, as_json=as_json)


def _start_of_day(day: datetime) -> datetime:
    """Return the instant at which a day begins in Seoul."""
    from schedules.plans import SEOUL

    try:
        return day.replace(tzinfo=SEOUL).astimezone(UTC)
    except OverflowError:
        raise typer.BadParameter(f"--since {day.date()} is out of range") from None


def _require_past(start: datetime | None, now: datetime) -> None:
    if start is None:
        return
    if start > now:
        raise typer.BadParameter("--since is in the future; give a day that has started in Seoul")
    if start < now - MAX_AGE:
        raise typer.BadParameter(f"--since is more than {MAX_AGE.days} days ago; give a later day")


def _start_sweep(runtime: Runtime, start: datetime | None, *, restored: bool) -> int:
    from worker.charging.kill_switch import wait_while_held
    from worker.domain.states import SweepReason
    from worker.ledger import charging_hold

    now = runtime.clock()
    with runtime.sessions.begin() as session:
        if not restored:
            since = now - runtime.statement_policy.span if start is None else start
            return charging_hold.begin_sweep(
                session, reason=SweepReason.BY_HAND, holds_claims=False, since=since, until=now, now=now
            )
        sweep_id = charging_hold.declare_restored(session, runtime.hold_policy, now=now, since=start)
    wait_while_held(runtime.sessions)
    return sweep_id


def _print(row: Sweep, *, as_json: bool) -> None:
    names = (
        "id",
        "reason",
        "ended_early",
        "released_by",
        "since",
        "until",
        "payments",
        "not_ours",
        "repaired",
        "found",
        "finished_at",
    )
    if as_json:
        console.print_json({name: getattr(row, name) for name in names})
        return
    console.say(
        f"{formats.counted(row.payments, 'payment')} compared: {row.not_ours:,} not ours, {row.repaired:,} repaired, "
        f"{row.found:,} new discrepancies."
    )
    if row.found:
        console.note("`again review list` shows them", style="yellow")
