"""Options that many commands share."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from worker.config.terminal import one_line

MAX_REASON = 500  # characters

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="Number of rows, newest first.")]


def read_reason(text: str) -> str:
    """Return a reason on one line, in plain text. Raises BadParameter for an empty or overlong one."""
    reason = one_line(" ".join(text.split()))
    if not 0 < len(reason) <= MAX_REASON:
        raise typer.BadParameter(f"it has {len(reason)} characters; say why in 1 to {MAX_REASON}")
    return reason


def read_key(text: str) -> str:
    """Return a billing key as it was given; - reads it from standard input, where `ps` does not show it."""
    return sys.stdin.readline().strip() if text == "-" else text


Reason = Annotated[str, typer.Option("--reason", callback=read_reason, help="Reason, recorded in the audit.")]
AllowDuplicates = Annotated[
    bool,
    typer.Option(
        "--allow-duplicates",
        help="Also if the customer, or the key, seems to have a subscription to that plan already.",
    ),
]
