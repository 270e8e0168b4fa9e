"""Deleting events that are older than they are kept, in batches."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from worker.database.engine import Sessions
from worker.events import queries

BATCH = 5000
"""Events that one transaction deletes."""


def prune_events(sessions: Sessions, *, before: datetime, progress: Callable[[int], None] = lambda _: None) -> int:
    """Delete the events that were published before an instant, and return how many they were."""
    position = int(before.timestamp() * 1_000_000)
    total = 0
    while True:
        with sessions.begin() as session:
            deleted = queries.prune(session, position, limit=BATCH)
        total += deleted
        progress(total)
        if deleted < BATCH:
            return total
