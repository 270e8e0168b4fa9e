"""`again sandbox`: the PortOne simulator in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from worker.cli import console


def sandbox(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 picks a free port.")] = 9101,
    ledger: Annotated[
        Path | None, typer.Option(help="File that stores its payments; in the data folder by default.")
    ] = None,
    latency: Annotated[
        str, typer.Option(metavar="SECONDS[,SECONDS]", help="Duration of a call: a number, or a range.")
    ] = "0",
    admin_token_file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="File with the token that its admin API requires."),
    ] = None,
    known_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Another host name, with dots, that requests may use.")
    ] = None,
    deliver_anywhere: Annotated[
        bool,
        typer.Option("--deliver-anywhere", help="Send webhooks to other machines too, wherever a page asks for them."),
    ] = False,
) -> None:
    """Run the sandbox until Ctrl-C: an HTTP server that behaves like PortOne V1 and moves no money."""
    from worker.config.settings import Settings
    from worker.devstack.private_folders import make_private
    from worker.sandbox.http.server import SandboxServer
    from worker.sandbox.switches import Settings as SandboxSettings
    from worker.sandbox.switches import Switches

    settings = Settings.from_env()
    if settings.live:
        console.note("AGAIN_PORTONE_KEY is set, so no other command uses this sandbox", style="yellow")
    path = ledger or settings.data_dir / "sandbox.sqlite"
    if ledger is None:
        make_private(settings.data_dir)
    server = SandboxServer(
        path,
        host=host,
        port=port,
        settings=SandboxSettings(switches=Switches(latency_seconds=_latency(latency))),
        admin_token=admin_token_file.read_text().strip() if admin_token_file else None,
        known_hosts=known_host or (),
        deliver_anywhere=deliver_anywhere,
    )
    console.note(f"sandbox on {server.base_url}, ledger {path}; Ctrl-C ends it")
    server.run()


def _latency(text: str) -> tuple[float, float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    match numbers:
        case [one] if 0 <= one <= 3600:
            return one, one
        case [low, high] if 0 <= low <= high <= 3600:
            return low, high
    raise typer.BadParameter(f"{text!r} is not a number of seconds, or two, such as 0.5,3", param_hint="--latency")
