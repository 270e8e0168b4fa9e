"""The demo itself: start everything, let beat and the worker do their work, show it, and compare the records."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from worker.config.settings import Settings
from worker.demo import queries
from worker.demo.book import TEMPERS, fill
from worker.demo.comparison import Comparison, compare
from worker.demo.folder import empty_folder
from worker.demo.second_month import advance_a_month, days_of
from worker.devstack.folder_lock import exclusive
from worker.devstack.stack import Stack, free_port, running_stack
from worker.runtime import Runtime, open_runtime
from worker.sandbox.http.client import SandboxAdmin

PATIENCE_SECONDS = 80.0
RELAY_PATIENCE_SECONDS = 20.0

# Waiting times short enough to watch; the code that waits is the same.
VARIABLES = {
    "AGAIN_TICK_SECONDS": "2",
    "AGAIN_MAX_IN_FLIGHT": "100",
    "AGAIN_CONNECT_TIMEOUT_SECONDS": "1",
    "AGAIN_READ_TIMEOUT_SECONDS": "2",
    "AGAIN_WRITE_BACK_SECONDS": "2",
    "AGAIN_QUIET_PERIOD_SECONDS": "12",
    "AGAIN_LOOKUP_BACKOFF_SECONDS": "4,8,12,16,20,30,45,60",
    "AGAIN_NOT_CHARGED_DELAY_SECONDS": "1",
    "AGAIN_LOG_LEVEL": "INFO",
}


@dataclass(frozen=True, slots=True)
class View:
    """What the database says at one moment."""

    charges: Counter[str]
    unknown: int
    looked_up: int
    sent_again: int

    @property
    def settled(self) -> int:
        return sum(self.charges[status] for status in ("paid", "past_due", "uncollectible", "void"))


def run_demo(console: Console, data_dir: Path, *, subscriptions: int) -> bool:
    """Run the demo in a folder of its own; True when the records agree. Ctrl-C passes, with everything stopped."""
    folder = data_dir / "demo"
    settings = Settings.from_env({**VARIABLES, "AGAIN_DATA_DIR": str(folder)})
    console.print("[bold]Again[/] charges a book of subscriptions whose cards misbehave, on real parts.\n")
    with ExitStack() as stopping:
        lock = stopping.enter_context(exclusive(data_dir / "demo.lock", "again demo"))
        empty_folder(folder)
        try:
            with console.status(
                "starting PostgreSQL, Valkey, the PortOne sandbox, a Celery worker, beat and flower ..."
            ):
                ports = {
                    "sandbox_port": free_port(9101),
                    "checkout_port": free_port(9102),
                    "flower_port": free_port(5555),
                    "metrics_port": free_port(9103),
                }
                starting = running_stack(settings, lock=lock, **ports)
                stack = stopping.enter_context(starting)
            return _play(console, stack, subscriptions)
        finally:
            console.print("\nstopping everything ...", style="dim")


def _play(console: Console, stack: Stack, subscriptions: int) -> bool:
    opened = open_runtime(stack.settings, actor="demo", database_url=stack.servers.addresses.database_url)
    with opened as runtime, SandboxAdmin(str(stack.part("sandbox").url)) as portone:
        portone.switch(latency_seconds=[0.05, 0.4])
        console.print(_cast(stack))
        with console.status(f"importing {subscriptions:,} subscriptions ..."):
            fill(runtime, portone, stack.settings.data_dir, count=subscriptions, now=runtime.clock())
        started = monotonic()
        _watch(console, runtime, portone, subscriptions)
        portone.switch(latency_seconds=[0.0, 0.02])
        advanced = advance_a_month(console, runtime, portone)
        _await_events(runtime)
        seconds = monotonic() - started
        with runtime.sessions() as session:
            console.print(days_of(session, advanced))
            comparison = compare(session, portone.charges())
        report = portone.report()
        requests = report.again_requests - report.again_results.get("unauthorized", 0)
    console.print(_audit(comparison, requests, seconds))
    return comparison.agrees and comparison.periods >= subscriptions


def _watch(console: Console, runtime: Runtime, portone: SandboxAdmin, subscriptions: int) -> None:
    """Show what happens until every charge has ended its story for today, or patience does."""
    started = monotonic()
    with Live(console=console, refresh_per_second=8) as live:
        while monotonic() - started < PATIENCE_SECONDS:
            view = _view(runtime)
            live.update(_picture(view, portone.report().charges, subscriptions, monotonic() - started))
            if view.settled >= subscriptions and not view.unknown:
                break
            sleep(0.25)


def _await_events(runtime: Runtime) -> None:
    """Wait until the worker's relay has published what happened last."""
    started = monotonic()
    while monotonic() - started < RELAY_PATIENCE_SECONDS:
        with runtime.sessions() as session:
            if not session.scalars(queries.UNPUBLISHED).one():
                return
        sleep(0.25)


def _view(runtime: Runtime) -> View:
    with runtime.sessions() as session:
        return View(
            charges=Counter({row.status: row.charges for row in session.execute(queries.CHARGES_BY_STATUS)}),
            unknown=session.scalars(queries.UNKNOWN_ATTEMPTS).one(),
            looked_up=session.scalars(queries.LOOKED_UP).one(),
            sent_again=session.scalars(queries.SENT_AGAIN).one(),
        )


def _cast(stack: Stack) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_row("database", "PostgreSQL, embedded")
    table.add_row("broker", "Valkey, embedded")
    for part in stack.parts:
        table.add_row(part.name, part.url or f"Celery, log in {part.log.name}")
    tempers = Table.grid(padding=(0, 2))
    for temper in TEMPERS:
        tempers.add_row(f"[dim]{temper.share:>4}[/]", f"[dim]{temper.pg}[/]", f"[dim]{temper.says}[/]")
    return Group(table, Text("\nof 1,000 cards:", style="dim"), tempers, Text())


def _picture(view: View, really: int, subscriptions: int, seconds: float) -> RenderableType:
    lines = Table.grid(padding=(0, 2))
    lines.add_column(width=26)
    lines.add_column(justify="right", width=7)
    lines.add_column(width=32)
    rows = (
        ("paid", view.charges["paid"], "green"),
        ("declined, to be retried", view.charges["past_due"], "yellow"),
        ("being charged", view.charges["charging"] - view.unknown, "cyan"),
        ("unknown, being looked up", view.unknown, "magenta"),
        ("due", view.charges["due"], "white"),
    )
    for name, count, color in rows:
        bar = ProgressBar(total=subscriptions, completed=count, width=32, complete_style=color, finished_style=color)
        lines.add_row(Text(name, style=color), f"{max(count, 0):,}", bar)
    said = (
        f"really charged: {really:,}   looked up: {view.looked_up:,}   "
        f"proved not charged and sent again: {view.sent_again:,}"
    )
    return Panel(Group(lines, Text(f"\n{said}", style="dim")), title=f"{seconds:4.0f} s", expand=False)


def _audit(comparison: Comparison, requests: int, seconds: float) -> RenderableType:
    table = Table(title="The database against the sandbox's ledger")
    table.add_column("question")
    table.add_column("answer", justify="right")
    rows = (
        ("billing periods that fell due", comparison.periods, False),
        ("requests to charge, expired tokens apart", requests, False),
        ("payments really made", comparison.really_paid, False),
        ("periods paid more than once", len(comparison.charged_twice), True),
        ("paid at the sandbox, but not in the database", len(comparison.paid_only_there), True),
        ("paid in the database, but not at the sandbox", len(comparison.paid_only_here), True),
        ("payments that are not ours", len(comparison.not_ours), True),
        ("charges that wait for a new key", comparison.waits_for_key, False),
        ("charges whose outcome is still open", comparison.unaccounted, True),
        ("paid periods without exactly one event", comparison.untold, True),
    )
    for question, answer, must_be_none in rows:
        style = "" if not must_be_none else "green" if answer == 0 else "bold red"
        table.add_row(question, Text(f"{answer:,}", style=style))
    verdict = (
        Text(f"The records agree after {seconds:.0f} s: no period was charged twice, none was forgotten.", "bold green")
        if comparison.agrees
        else Text("The records do not agree. See the rows in red, and the logs in .again/demo/logs.", "bold red")
    )
    return Group(Text(), table, _events(comparison), verdict)


def _events(comparison: Comparison) -> RenderableType:
    table = Table(title="What others could learn of it: again events list")
    table.add_column("event")
    table.add_column("times", justify="right")
    for name, times in comparison.events.items():
        table.add_row(name, f"{times:,}")
    return table
