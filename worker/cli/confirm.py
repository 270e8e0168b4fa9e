"""Asking before money moves."""

from __future__ import annotations

import typer

from worker.cli import console
from worker.cli.exits import ExitCode


def require(question: str, *, unasked: str, declined: str) -> None:
    """Ask a person, and end the command unless the answer is yes.

    A script cannot be asked, so it has to say beforehand that it means it: `unasked` is what would have happened.
    """
    if not console.is_conversation():
        console.complain(f"{unasked}, and there is nobody to ask; give --yes.")
        raise typer.Exit(ExitCode.REFUSED)
    if not console.ask(question):
        console.complain(declined)
        raise typer.Exit(ExitCode.REFUSED)
