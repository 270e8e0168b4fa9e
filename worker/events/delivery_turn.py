"""One transaction of a relay about one destination: what came of some calls is written down, and more is claimed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from worker.domain.events.destinations import Delivered, Delivery, DestinationStatus, NotDelivered
from worker.domain.events.retries import Health, after, next_wait
from worker.events import delivery_queries, destination_queries
from worker.events.delivery_queries import Claimed, Postponed
from worker.events.destination_queries import Destination

NOTED_EVERY = timedelta(seconds=5)
"""How old `delivered_at` of a destination may be: its row is not written for every event."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Turn:
    """A destination, locked, after what came of some calls was written down."""

    session: Session
    destination: Destination
    now: datetime

    def claim(self, room: int, *, lease: timedelta, idle: bool) -> Sequence[Claimed]:
        """Claim up to `room` events; one, and nothing beside it, where the destination is down."""
        health = self.destination.health
        if room <= 0 or self.destination.status is not DestinationStatus.ACTIVE:
            return ()
        if health.next_try_at is not None and health.next_try_at > self.now:
            return ()
        if not health.is_down:
            return self._claimed(room, lease)
        if not idle or not (claimed := self._claimed(1, lease)):
            return ()
        # For as long as this one is under way, no relay tries another.
        tried = replace(health, next_try_at=self.now + lease)
        destination_queries.set_health(self.session, self.destination.id, tried, delivered_at=None)
        return claimed

    def _claimed(self, limit: int, lease: timedelta) -> Sequence[Claimed]:
        return delivery_queries.claim(self.session, self.destination.id, now=self.now, lease=lease, limit=limit)


def take(
    session: Session, destination_id: int, answered: Iterable[tuple[Claimed, Delivery | None]], *, now: datetime
) -> Turn:
    """Lock a destination, write down what came of some calls to it, and return how it stands."""
    answered = list(answered)
    destination = destination_queries.locked(session, destination_id)
    failed = [(claimed, outcome) for claimed, outcome in answered if isinstance(outcome, NotDelivered)]
    done = [claimed.position for claimed, outcome in answered if not isinstance(outcome, NotDelivered)]
    taken = sum(isinstance(outcome, Delivered) for _, outcome in answered)
    if lost := len(done) - taken:
        log.warning("events were deleted before they were delivered", destination=destination.name, events=lost)
    delivery_queries.delete(session, destination_id, done)
    health = after(destination.health, delivered=taken, failed=len(failed), now=now)
    _postpone(session, destination, failed, health, now)
    _note(session, destination, health, now, error=failed[-1][1].reason if failed else None, taken=taken)
    destination = replace(destination, health=health)
    return Turn(session, _disabled(session, destination, failed, now), now)


def _postpone(
    session: Session,
    destination: Destination,
    failed: Iterable[tuple[Claimed, NotDelivered]],
    health: Health,
    now: datetime,
) -> None:
    """Let what failed wait: by how long itself has failed, or, where nothing is taken, for the destination."""
    postponed = []
    for claimed, outcome in failed:
        since = claimed.failing_since or now
        at = health.next_try_at if health.is_down and health.next_try_at is not None else now + next_wait(since, now)
        postponed.append(Postponed(claimed.position, at, since, outcome.reason))
    delivery_queries.postpone(session, destination.id, postponed)


def _note(
    session: Session, destination: Destination, health: Health, now: datetime, *, error: str | None, taken: int
) -> None:
    stale = destination.delivered_at is None or abs(now - destination.delivered_at) >= NOTED_EVERY
    if health != destination.health or (taken and stale):
        delivered_at = now if taken else None
        destination_queries.set_health(session, destination.id, health, error=error, delivered_at=delivered_at)


def _disabled(
    session: Session, destination: Destination, failed: Sequence[tuple[Claimed, NotDelivered]], now: datetime
) -> Destination:
    """Disable a destination that wants nothing more, or has taken nothing for days. What is queued stays so."""
    if destination.status is not DestinationStatus.ACTIVE or not failed:
        return destination
    if any(outcome.gone for _, outcome in failed):
        reason = "it answered 410 Gone: it wants nothing more"
    elif destination.health.given_up(now):
        reason = f"it has taken nothing for three days; the last time: {failed[-1][1].reason}"
    else:
        return destination
    destination_queries.set_status(session, destination.id, DestinationStatus.DISABLED, reason=reason, now=now)
    log.error("a destination of events is disabled", destination=destination.name, reason=reason)
    return replace(destination, status=DestinationStatus.DISABLED, status_reason=reason, health=Health())
