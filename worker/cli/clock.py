"""`again clock`: what time it is in the sandbox, and turning that on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli import console, formats
from worker.cli.exits import Commands
from worker.cli.options import Json

if TYPE_CHECKING:
    from worker.ledger.clock_turns import ClockState
    from worker.playback.advance import Advanced, Tell
    from worker.runtime import Runtime
    from worker.sandbox.http.client import SandboxAdmin

SEOUL = "Asia/Seoul"

app = typer.Typer(cls=Commands, help="Turn the sandbox's clock on, and see what falls due.", no_args_is_help=True)

TokenFile = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="File with the token of the sandbox's admin API, if it wants one."),
]


@app.command("show")
def show(*, as_json: Json = False) -> None:
    """Show what time it is in the sandbox, and how far its clock was turned."""
    from worker.cli.context import command_runtime
    from worker.playback.turning import clock_now

    with command_runtime(as_json=as_json) as runtime:
        _print_state(clock_now(runtime), as_json=as_json)


@app.command("advance")
def advance(
    span: Annotated[str, typer.Argument(help="How far: 36h, 31d, 2w, 1m (a month) or 1y.")],
    *,
    admin_token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Advance the clock, and do what falls due on the way, in order, each at its time.

    It charges by itself, beside a worker that may run. It ends with what has happened.
    """
    from worker.cli.context import command_runtime
    from worker.config.logs import log_errors_only
    from worker.playback.advance import player_of
    from worker.playback.times import after_span
    from worker.playback.turning import clock_now

    with command_runtime(as_json=as_json) as runtime, _sandbox(runtime, admin_token_file) as portone:
        log_errors_only()
        since = clock_now(runtime).now
        until = after_span(since, span)
        with _progress(since, until, shown=not as_json) as tell:
            player = player_of(runtime, portone, tell)
            try:
                advanced = player.advance(until)
            finally:
                player.process.close()
        _print_advanced(advanced, as_json=as_json)


@app.command("set")
def set_clock(
    to: Annotated[
        str, typer.Argument(help="The date and time it is to show, in Seoul: 2027-01-31 or 2027-01-31T09:00.")
    ],
    *,
    admin_token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Set the clock, and do nothing on the way: what fell due is late, as after an outage.

    It can be set back as far as nothing is settled yet.
    """
    from worker.cli.context import command_runtime
    from worker.playback.times import instant
    from worker.playback.turning import clock_now, turn_clock

    with command_runtime(as_json=as_json) as runtime, _sandbox(runtime, admin_token_file) as portone:
        state = clock_now(runtime)
        turn_clock(runtime, portone, instant(to) - state.real, tell=console.note)
        _print_state(clock_now(runtime), as_json=as_json)


@app.command("reset")
def reset(*, admin_token_file: TokenFile = None, as_json: Json = False) -> None:
    """Let the clock show the real time again, as long as nothing is settled that would lie ahead of it."""
    from worker.cli.context import command_runtime
    from worker.playback.turning import clock_now, turn_clock

    with command_runtime(as_json=as_json) as runtime, _sandbox(runtime, admin_token_file) as portone:
        clock_now(runtime)
        turn_clock(runtime, portone, timedelta(0), tell=console.note)
        _print_state(clock_now(runtime), as_json=as_json)


@contextmanager
def _sandbox(runtime: Runtime, token_file: Path | None) -> Iterator[SandboxAdmin]:
    """Connect to the sandbox's admin API. Raises Refused in live mode, before anything is sent."""
    from worker.playback.turning import require_running, require_sandbox
    from worker.sandbox.http.client import SandboxAdmin

    require_sandbox(runtime)
    token = None if token_file is None else token_file.read_text().strip()
    with SandboxAdmin(runtime.settings.gateway_url, admin_token=token) as portone:
        require_running(runtime, portone)
        yield portone


@contextmanager
def _progress(since: datetime, until: datetime, *, shown: bool) -> Iterator[Tell]:
    """Show how far the clock has come, on a terminal."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    errors = console.errors()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        console=errors,
        transient=True,
        disable=not (shown and errors.is_terminal),
    )
    with bar:
        task = bar.add_task(formats.local(since, SEOUL), total=(until - since).total_seconds())

        def tell(at: datetime, waits: str) -> None:
            said = f"{formats.local(at, SEOUL)} {waits}".strip()
            bar.update(task, completed=(at - since).total_seconds(), description=said)

        yield tell


def _print_state(state: ClockState, *, as_json: bool) -> None:
    if as_json:
        console.print_json(
            {"now": state.now, "real": state.real, "ahead_seconds": round(state.ahead.total_seconds(), 3)}
        )
        return
    console.say(said(state))


def said(state: ClockState) -> str:
    """Return in a sentence what the clock shows."""
    ahead = "the real time" if not state.ahead else _how_far(state.ahead)
    return f"The clock shows {formats.local(state.now, SEOUL)}, {ahead}."


def _how_far(ahead: timedelta) -> str:
    to_the_minute = timedelta(minutes=round(abs(ahead) / timedelta(minutes=1)))
    days, rest = divmod(to_the_minute, timedelta(days=1))
    hours, rest = divmod(rest, timedelta(hours=1))
    parts = [(days, "day"), (hours, "hour"), (rest // timedelta(minutes=1), "minute")]
    shown = " ".join(formats.counted(count, noun) for count, noun in parts if count) or "less than a minute"
    return f"{shown} {'ahead of' if ahead > timedelta(0) else 'behind'} the real time"


def _print_advanced(advanced: Advanced, *, as_json: bool) -> None:
    if as_json:
        console.print_json(
            {"since": advanced.since, "until": advanced.until, "paid": advanced.paid, "events": dict(advanced.events)}
        )
        return
    console.say(
        f"From {formats.local(advanced.since, SEOUL)} to {formats.local(advanced.until, SEOUL)}: "
        f"{formats.money(advanced.paid)} paid."
    )
    if not advanced.events:
        console.note("Nothing fell due, and nothing else happened.")
        return
    rows = [(name, f"{times:,}") for name, times in advanced.events.items()]
    console.table("WHAT HAPPENED", "TIMES", rows=rows, right=("TIMES",))
    console.note("`again events list` and `again charge list` show each.")
