"""`again doctor`: what is in order, what is not, and what is to be done about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from worker.cli import console
from worker.cli.exits import ExitCode
from worker.cli.options import Json

if TYPE_CHECKING:
    from worker.doctor.finding import CheckContext

STYLES = {"ok": "green", "warning": "yellow", "broken": "bold red", "skipped": "dim"}
NOWHERE = "postgresql:///again"
"""Stands for a database that there is not; no check connects to it."""


def doctor(
    checks: Annotated[
        list[str] | None,
        typer.Argument(
            help="Checks to run: database migrations identity broker timeouts portone beat worker tasks stops "
            "invariants discrepancies arrears trials look-ups sweeps backlog relay destinations schedules pages "
            "declines. "
            "All by default."
        ),
    ] = None,
    *,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Judge every row that there is by the invariants, slice by slice, and not only what has changed; goes "
            "on where it was interrupted.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Check every part of the deployment, and say how to fix what is broken. Exits with 1 if anything is."""
    from worker.doctor.finding import Health
    from worker.doctor.run import CHECKS, examine

    if full and "invariants" not in (checks or CHECKS):
        raise typer.BadParameter("only the check `invariants` has a full pass")
    if unknown := [name for name in checks or [] if name not in CHECKS]:
        raise typer.BadParameter(f"there is no check {unknown[0]!r:.40}; there are {', '.join(CHECKS)}")
    findings = []
    with _check_context(full=full, as_json=as_json) as context:
        for finding in examine(context, checks):
            findings.append(finding)
            if not as_json:
                _say(finding.check, finding.health, finding.finding, finding.remedy)
    if as_json:
        console.print_json([asdict(finding) for finding in findings])
    if any(finding.health is Health.BROKEN for finding in findings):
        raise typer.Exit(ExitCode.REFUSED)


@contextmanager
def _check_context(*, full: bool, as_json: bool) -> Iterator[CheckContext]:
    from worker.cli.context import actor
    from worker.devstack.addresses import NotAvailable, broker_address, database_address, effective_settings
    from worker.doctor.finding import CheckContext
    from worker.ledger.clock_turns import known_ahead
    from worker.runtime import Runtime

    settings = effective_settings()
    if not as_json:
        console.say_mode(live=settings.live)
    with ExitStack() as stack:
        try:
            url, no_database = stack.enter_context(database_address(settings)), ""
        except NotAvailable as problem:
            url, no_database = NOWHERE, str(problem)
        runtime = Runtime.create(settings, url, actor=actor())
        tell = stack.enter_context(console.live_line("judging every row ...", shown=full and not as_json))
        stack.callback(runtime.close)
        yield CheckContext(
            runtime=runtime,
            broker_url=broker_address(settings),
            no_database=no_database,
            full=tell if full else None,
            ahead=known_ahead(runtime.engine) if not settings.live and not no_database else timedelta(0),
        )


def _say(check: str, health: str, finding: str, remedy: str) -> None:
    line = Text.assemble((f"{health:<8}", STYLES[health]), (f"{check:<13}", "bold"), _indented(finding))
    console.output().print(line)
    for each in remedy.splitlines():
        console.output().print(Text(f"{'':21}-> {each}", STYLES[health]))


def _indented(lines: str) -> str:
    return lines.replace("\n", f"\n{'':21}")
