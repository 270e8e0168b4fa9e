"""The second month: the clock is turned a month on, and what falls due on the way is done and shown day by day."""

from __future__ import annotations

from datetime import datetime

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table
from sqlalchemy.orm import Session

from schedules.plans import SEOUL
from worker.demo import queries
from worker.playback.advance import Advanced, player_of
from worker.playback.times import after_span
from worker.runtime import Runtime
from worker.sandbox.http.client import SandboxAdmin

SPAN = "1m"


def advance_a_month(console: Console, runtime: Runtime, portone: SandboxAdmin) -> Advanced:
    """Advance the clock by a month beside the running worker, as `again clock advance 1m` does."""
    since = runtime.clock()
    until = after_span(since, SPAN)
    bar = Progress(TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), console=console, transient=True)
    with bar:
        task = bar.add_task("turning the clock on", total=(until - since).total_seconds())

        def tell(at: datetime, waits: str) -> None:
            said = f"{at.astimezone(SEOUL):%Y-%m-%d %H:%M} {waits}".strip()
            bar.update(task, completed=(at - since).total_seconds(), description=said)

        player = player_of(runtime, portone, tell)
        try:
            return player.advance(until)
        finally:
            player.process.close()


def days_of(session: Session, advanced: Advanced) -> Table:
    """Return a table of the days on which anything was charged or tried meanwhile, by the calendar of Seoul."""
    table = Table(title=f"The second month, day by day: again clock advance {SPAN}")
    for name in ("day", "paid", "of them on a retry", "declined", "KRW paid"):
        table.add_column(name, justify="left" if name == "day" else "right")
    for row in session.execute(queries.DAYS, {"since": advanced.since, "until": advanced.until}):
        table.add_row(
            f"{row.day:%Y-%m-%d}", *(f"{count:,}" for count in (row.paid, row.retried, row.declined, row.won))
        )
    return table
