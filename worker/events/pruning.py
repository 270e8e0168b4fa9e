"""Deleting events that are older than they are kept, in small transactions: by a tick, and by a command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from worker.database.engine import Sessions
from worker.domain.clock import Clock
from worker.events import queries
from worker.ledger.charging_hold import charging_is_allowed
from worker.ledger.database_identity import HoldPolicy

BATCH = 5000
"""Events that one transaction looks at, and deletes."""

MOST = 100_000
"""Events that one tick deletes, in some seconds; the next one goes on."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many events were deleted."""

    deleted: int

    def summary(self) -> dict[str, object]:
        return asdict(self)


def prune_old_events(
    sessions: Sessions,
    *,
    days: int,
    clock: Clock,
    hold_policy: HoldPolicy,
    stopping: Callable[[], bool] = lambda: False,
) -> Pruned:
    """Delete what is older than some days, as far as one tick does; with 0 days, events are kept for ever.

    Nothing is deleted while charging is held: by a clock that is ahead, much would be old.
    """
    if not days:
        return Pruned(0)
    with sessions.begin() as session:
        if not charging_is_allowed(session, hold_policy, now=clock):
            return Pruned(0)
    return Pruned(prune_events(sessions, before=clock() - timedelta(days=days), most=MOST, stopping=stopping))


def prune_events(
    sessions: Sessions,
    *,
    before: datetime,
    most: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
    stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Delete the events that were published before an instant, or some `most` of them; return how many they were.

    What a destination has not got yet is kept.
    """
    end = int(before.timestamp() * 1_000_000)
    total, reached = 0, 0
    while (most is None or total < most) and not stopping():
        with sessions.begin() as session:
            place, deleted = queries.prune(session, end, after=reached, limit=BATCH)
        if place is None:
            break
        reached, total = place, total + deleted
        progress(total)
    return total
