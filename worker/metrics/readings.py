"""Reading everything once: one short transaction, whose statements all cost what there is of the few they count."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from worker.database import heartbeats
from worker.database.tables.operations import Stop, Sweep, Violation
from worker.domain.charge_limits import day_of
from worker.events.lag_queries import RelayLag, relay_lag
from worker.ledger import call_totals, event_totals, stops
from worker.ledger.call_totals import CallTotal
from worker.ledger.event_totals import EventTotal
from worker.operations import invariant_results, status_queries, wait_queries, watch_queries
from worker.operations.count_queries import Count, moving_counts, standing_counts
from worker.operations.wait_queries import QueueHead
from worker.operations.watch_queries import DayUse

MOST_OF_DATABASE = 800
"""Counts are taken again after so many times as long as they took: each kind costs an 800th of the time at most."""

MOVING_EVERY, STANDING_EVERY = timedelta(0), timedelta(minutes=1)
"""And not more often than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """The counts of `again status` of one kind, when they were taken, and how long that took."""

    counts: Mapping[str, Count]
    at: datetime
    seconds: float

    def is_fresh(self, now: datetime, every: timedelta) -> bool:
        """Return whether it is not to be taken again yet: what costs little is taken each time."""
        pause = max(every, timedelta(seconds=self.seconds) * MOST_OF_DATABASE)
        return timedelta(0) <= now - self.at < pause


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Everything that the metrics are made of, as it was at one instant."""

    now: datetime
    mode: str
    counts: Mapping[str, Count]
    counted_at: Mapping[str, datetime]  # by kind of counts
    queues: Sequence[QueueHead]
    opening_waits_since: datetime | None
    unknown: Mapping[str, int]
    stopped: Sequence[Stop]
    held: int
    held_by_gate: Mapping[str, int]
    holding: Sweep | None
    daily: Sweep | None
    failing: Sweep | None
    discrepancies: Mapping[str, int]
    violations: Sequence[Violation]
    used: Sequence[DayUse]
    seen: Mapping[str, datetime]
    relay: RelayLag
    events: Sequence[EventTotal]
    calls: Sequence[CallTotal]


KINDS: Mapping[str, tuple[Callable[..., Mapping[str, Count]], timedelta]] = {
    "moving": (moving_counts, MOVING_EVERY),
    "standing": (standing_counts, STANDING_EVERY),
}
"""The kinds of counts, and how often each is taken at most."""


def taken(
    session: Session, kind: str, before: Census | None, *, now: datetime, monotonic: Callable[[], float]
) -> Census:
    """Return the census before, or another one where that is not fresh any more."""
    count, every = KINDS[kind]
    if before is not None and before.is_fresh(now, every):
        return before
    started = monotonic()
    counts = count(session, now=now)
    return Census(counts=counts, at=now, seconds=monotonic() - started)


def read(session: Session, censuses: Mapping[str, Census], *, now: datetime) -> Readings:
    """Read everything else than these counts."""
    return Readings(
        now=now,
        mode=watch_queries.mode(session),
        counts={row: found for census in censuses.values() for row, found in census.counts.items()},
        counted_at={kind: census.at for kind, census in censuses.items()},
        opening_waits_since=wait_queries.opening_waits_since(session, now=now),
        unknown=watch_queries.unknown_by_age(session, now=now),
        stopped=stops.active_stops(session),
        held=watch_queries.held_subscriptions(session),
        holding=status_queries.holding_sweep(session),
        daily=status_queries.last_daily_sweep(session),
        failing=status_queries.failing_sweep(session),
        discrepancies=watch_queries.discrepancies_by_kind(session),
        violations=invariant_results.recorded(session),
        used=watch_queries.used_on(session, day_of(now)[0]),
        seen=heartbeats.last_seen(session),
        events=event_totals.totals(session),
        calls=call_totals.totals(session),
        relay=relay_lag(session),  # from here on statements are planned by index
        queues=wait_queries.queue_heads(session, now=now),
        held_by_gate=watch_queries.held_by_gate(session),
    )
