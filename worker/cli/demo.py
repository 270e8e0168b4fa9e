"""`again demo`: the main job on real parts, before your eyes."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from worker.cli.console import PlainConsole
from worker.cli.exits import ExitCode


def demo(
    subscriptions: Annotated[int, typer.Option(min=20, max=5000, help="Number of subscriptions.")] = 1000,
) -> None:
    """Charge a thousand subscriptions, some with failing cards, and compare the records; no settings, no real money.

    Then the clock is turned a month on, and what falls due on the way is charged too. It runs in a folder of its own,
    which the next demo empties; what `again up` runs is not touched.
    """
    from worker.config.settings import Settings
    from worker.demo.show import run_demo

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # a closed terminal stops it as Ctrl-C does
    try:
        agrees = run_demo(PlainConsole(), Settings.from_env().data_dir, subscriptions=subscriptions)
    except KeyboardInterrupt:
        raise typer.Exit(128 + signal.SIGINT) from None
    if not agrees:
        raise typer.Exit(ExitCode.REFUSED)
