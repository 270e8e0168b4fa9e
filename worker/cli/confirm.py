"""Asking the operator to confirm before money moves."""

from __future__ import annotations

import typer

from worker.cli import console
from worker.cli.exits import ExitCode


def require(question: str, *, unasked: str, declined: str) -> None:
    """Ask the operator, and end the command unless the answer is yes.

    A script cannot be asked and has to pass --yes: `unasked` is what would have happened.
    """
    if not console.is_conversation():
        console.complain(f"{unasked}, and there is no terminal to ask on; give --yes.")
        raise typer.Exit(ExitCode.REFUSED)
    if not console.ask(question):
        console.complain(declined)
        raise typer.Exit(ExitCode.REFUSED)


def require_consent(what: str, *, instead: str) -> None:
    """Ask whether the customer has agreed to what would be charged, and end the command unless they have."""
    require(
        f"{what}. Has the customer agreed to that?",
        unasked=what,
        declined=f"Nothing was changed. {instead}",
    )
