"""Options that many commands share."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from worker.config.terminal import one_line

LONGEST_REASON = 500  # characters

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many to list, the newest first.")]


def read_reason(text: str) -> str:
    """Put a reason on one line, plain. Raises BadParameter for one that nobody would read."""
    reason = one_line(" ".join(text.split()))
    if not 0 < len(reason) <= LONGEST_REASON:
        raise typer.BadParameter(f"it has {len(reason)} characters; say why in 1 to {LONGEST_REASON}")
    return reason


def read_key(text: str) -> str:
    """Give a billing key as it was named; - reads it from standard input, where `ps` does not show it."""
    return sys.stdin.readline().strip() if text == "-" else text


Reason = Annotated[str, typer.Option("--reason", callback=read_reason, help="Why; it is written into the audit.")]
AllowDuplicates = Annotated[
    bool,
    typer.Option("--allow-duplicates", help="Also what looks like a customer, or has the key, of that plan already."),
]
