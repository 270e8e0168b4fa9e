"""The audit as people read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from worker.cli import console, words


def print_audit(audit: Sequence[Mapping[str, Any]], zone: str) -> None:
    """Print who changed a status, when and why."""
    console.table(
        "AT",
        "STATUS",
        "REASON",
        "BY",
        rows=[(words.local(row["at"], zone), row["to_status"], row["reason"], row["actor"]) for row in audit],
        whole=("AT", "STATUS"),
    )
