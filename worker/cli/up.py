"""`again up`: everything on this machine, until Ctrl-C."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli import console
from worker.cli.exits import ExitCode

if TYPE_CHECKING:
    from worker.config.settings import Settings
    from worker.devstack.stack import Stack

HINT = """In another terminal, in this folder (`. .venv/bin/activate` first, if `again` is not found):
  again plan add letter --name "아침 편지" --amount 9900 --cadence month --charge-hour 0
  again subscribe haneul --plan letter   a subscription that waits for its first key; prints its CODE
  again checkout link CODE               a page on which the customer registers one
  again status                           what is due, in flight, unknown, past due, and how many webhooks came
  again charge list                      what was charged
  again doctor                           is everything in order?"""

SANDBOX_HINT = """A month on, with all that falls due on the way:
  again clock advance 1m
What the sandbox saw:
  curl {url}/_sandbox/windows     the payment windows that were opened, and what became of them
  curl {url}/_sandbox/webhooks    the webhooks that it sent, and how they were answered"""


def up(
    sandbox_port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the sandbox.")] = 9101,
    checkout_port: Annotated[
        int, typer.Option(min=1, max=65_535, help="Port of the checkout pages, which also receive webhooks.")
    ] = 9102,
    flower_port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of flower.")] = 5555,
    metrics_port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the metrics.")] = 9103,
) -> None:
    """Run all that is not configured elsewhere: PostgreSQL, Valkey, sandbox, worker, beat, flower, metrics and pages.

    A port in use is replaced by a free one. Data is kept in the data folder (AGAIN_DATA_DIR, `.again`).
    """
    from worker.cli.context import command_runtime
    from worker.config.settings import Settings
    from worker.devstack.folder_lock import exclusive
    from worker.devstack.stack import running_stack

    settings = Settings.from_env()
    if settings.database_url is not None:
        with command_runtime(as_json=True):
            pass  # a configured database must answer and be migrated before anything is started
    console.say_mode(live=settings.live)
    asked_to_stop: list[int] = []  # no Event: a signal that comes while we wait for one would wait for its lock
    for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(asked, lambda number, _: asked_to_stop.append(number))
    with ExitStack() as stopping:
        lock = stopping.enter_context(exclusive(settings.data_dir / "up.lock", "again up"))
        ports = {"flower_port": _port("flower", flower_port), "checkout_port": _port("checkout", checkout_port)}
        ports["metrics_port"] = _port("metrics", metrics_port)
        ports["sandbox_port"] = sandbox_port if settings.live else _port("the sandbox", sandbox_port)
        with console.live_line("starting ...", shown=True):
            stack = stopping.enter_context(running_stack(settings, lock=lock, **ports))
        console.say(f"Data and logs are in {shown(stack.settings.data_dir)}.")
        console.table("part", "where", "log", rows=_rows(stack), whole=("part",))
        if not stack.settings.live:
            console.say(_clock(stack))
        console.note(f"\n{hint(stack.settings)}\n\nCtrl-C stops everything.")
        ended = None
        while ended is None and not asked_to_stop:
            time.sleep(0.5)
            ended = stack.ended()
        console.note("stopping; calls in flight are finished first ...")
    if ended is not None:
        console.complain(ended)
        raise typer.Exit(ExitCode.NOT_REACHABLE)


def hint(settings: Settings) -> str:
    """Return what to try next; with real money there is no sandbox to look into."""
    return HINT if settings.live else f"{HINT}\n{SANDBOX_HINT.format(url=settings.gateway_url)}"


def shown(path: Path) -> str:
    """Return a folder's path relative to the current one, if it is inside."""
    path, here = path.resolve(), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _port(name: str, wanted: int) -> int:
    from worker.devstack.stack import free_port

    port = free_port(wanted)
    if port != wanted:
        console.note(f"{wanted} is taken; {name} listens on {port}", style="yellow")
    return port


def _clock(stack: Stack) -> str:
    """Return what the sandbox's clock shows, which an earlier run may have turned."""
    from worker.cli.clock import said
    from worker.cli.context import actor
    from worker.playback.turning import clock_now
    from worker.runtime import open_runtime

    with open_runtime(stack.settings, actor=actor(), database_url=stack.servers.addresses.database_url) as runtime:
        return said(clock_now(runtime))


def _rows(stack: Stack) -> list[tuple[str, str, str]]:
    servers, folder = stack.servers, stack.settings.data_dir.resolve()
    postgres, valkey = "as AGAIN_DATABASE_URL says", "as AGAIN_BROKER_URL says"
    if servers.postgres is not None:
        postgres = f"PostgreSQL, embedded (socket in {shown(servers.postgres.socket_folder)})"
    if servers.valkey is not None:
        valkey = f"Valkey, embedded ({servers.valkey.host}:{servers.valkey.port})"
    parts = [(part.name, part.url or "", str(part.log.relative_to(folder))) for part in stack.parts]
    return [("database", postgres, ""), ("broker", valkey, ""), *parts]
