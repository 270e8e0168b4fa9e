"""`again doctor`: what is in order, what is not, and what is to be done about it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from worker.cli import console
from worker.cli.exits import ExitCode
from worker.cli.options import Json

STYLES = {"ok": "green", "warning": "yellow", "broken": "bold red"}


def doctor(
    checks: Annotated[
        list[str] | None,
        typer.Argument(help="Some of: database migrations broker timeouts portone beat worker stops flagged. Or all."),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Examine every part, and say what to do about what is broken. Ends with 1 when something is."""
    from worker.app import task_time_limit, visibility_timeout
    from worker.cli.database import database
    from worker.doctor import CHECKS, Health, Patient, examine
    from worker.embedded import known_addresses

    if unknown := [name for name in checks or [] if name not in CHECKS]:
        raise typer.BadParameter(f"there is no check {unknown[0]!r:.40}; there are {', '.join(CHECKS)}")
    findings = []
    with database(as_json=as_json, migrated=False) as runtime:
        patient = Patient(
            runtime=runtime,
            broker_url=known_addresses(runtime.settings).broker_url,
            visibility_timeout=visibility_timeout(runtime.settings),
            task_time_limit=int(task_time_limit(runtime.settings).total_seconds()),
        )
        for finding in examine(patient, checks):
            findings.append(finding)
            if not as_json:
                _say(finding.check, finding.health, finding.finding, finding.remedy)
    if as_json:
        console.print_json([asdict(finding) for finding in findings])
    if any(finding.health is Health.BROKEN for finding in findings):
        raise typer.Exit(ExitCode.REFUSED)


def _say(check: str, health: str, finding: str, remedy: str) -> None:
    line = Text.assemble((f"{health:<8}", STYLES[health]), (f"{check:<11}", "bold"), console.plain(finding))
    console.output().print(line)
    if remedy:
        console.output().print(Text(f"{'':19}-> {remedy}", STYLES[health]))
