"""Options that many commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many to list, the newest first.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is written into the audit.")]
AllowDuplicates = Annotated[
    bool,
    typer.Option("--allow-duplicates", help="Also what looks like a customer, or has the key, of that plan already."),
]
