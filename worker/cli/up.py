"""`again up`: everything on this machine, until Ctrl-C."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from threading import Event
from typing import Annotated

import typer

from worker.cli import console
from worker.cli.exits import ExitCode

HINT = """In another terminal, in this folder:
  again status                 what is due, in flight, unknown, past due
  again plan add letter --name "아침 편지" --amount 9900 --cadence month
  again doctor                 is everything in order?"""


def up(
    sandbox_port: Annotated[int, typer.Option(min=1, max=65_535, help="Where the sandbox listens.")] = 9101,
    flower_port: Annotated[int, typer.Option(min=1, max=65_535, help="Where flower listens.")] = 5555,
) -> None:
    """Run everything that is not running elsewhere: PostgreSQL, Valkey, the sandbox, a worker, beat, flower.

    Ports that are taken are replaced by free ones. Data stays in the data folder (AGAIN_DATA_DIR, `.again`).
    """
    from worker.cli.database import database
    from worker.settings import Settings
    from worker.supervision import free_port, running_stack

    settings = Settings.from_env()
    if settings.database_url is not None:
        with database(as_json=True):
            pass  # a configured database must answer and be migrated before anything is started
    console.say_mode(live=settings.live)
    asked_to_stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked_to_stop.set())
    with ExitStack() as stopping:
        with console.live_line("starting ...", shown=True):
            starting = running_stack(settings, sandbox_port=free_port(sandbox_port), flower_port=free_port(flower_port))
            stack = stopping.enter_context(starting)
        console.table("part", "where", "log", rows=_rows(stack), whole=("part",))
        console.note(f"\n{HINT}\n\nCtrl-C stops everything.")
        ended = _watch(stack, asked_to_stop)
        console.note("stopping; calls in flight are finished first ...")
    if ended is not None:
        console.complain(ended)
        raise typer.Exit(ExitCode.NOT_REACHABLE)


def _watch(stack: object, asked_to_stop: Event) -> str | None:
    """Wait until a person has had enough, or a part has ended by itself; then say which."""
    from worker.supervision import Stack, last_lines

    assert isinstance(stack, Stack)
    while not asked_to_stop.wait(0.5):
        for part in stack.parts:
            if part.ended is not None:
                return (
                    f"{part.name} ended with {part.ended}, so everything is stopped. {part.log}: {last_lines(part.log)}"
                )
    return None


def _rows(stack: object) -> list[tuple[str, str, str]]:
    from sqlalchemy import make_url

    from worker.supervision import Stack

    assert isinstance(stack, Stack)
    shown = [
        ("database", make_url(stack.addresses.database_url).render_as_string(hide_password=True), ""),
        ("broker", make_url(stack.addresses.broker_url).render_as_string(hide_password=True), ""),
    ]
    return shown + [(part.name, part.url or "", str(part.log)) for part in stack.parts]
