"""When what was not delivered is sent again, and when a destination is given up. Pure.

A wait is half of the time for which it has failed already: 5 s, then longer by half each time. So it depends on no
count, which many calls at once, or several relays, would drive up in one moment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

SHORTEST_WAIT = timedelta(seconds=5)

LONGEST_WAIT = timedelta(hours=4)
"""Between two tries of one event that is refused while others are taken."""

LONGEST_PAUSE = timedelta(minutes=5)
"""Between two tries of a destination that takes nothing: once it is back, events arrive within this."""

DOWN_AFTER = 8
"""Failures in a row, with nothing delivered between them, after which one event at a time is tried."""

GIVEN_UP_AFTER = timedelta(days=3)
"""A destination that has taken nothing for so long, though there was something for it, is disabled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a destination does: what has failed since something was delivered."""

    failures: int = 0
    failing_since: datetime | None = None
    next_try_at: datetime | None = None  # until then nothing is sent; None while it is not known to be down

    @property
    def is_down(self) -> bool:
        return self.failures >= DOWN_AFTER

    def given_up(self, now: datetime) -> bool:
        """Return whether it has failed for so long that it is disabled."""
        return self.is_down and self.failing_since is not None and now - self.failing_since >= GIVEN_UP_AFTER


def next_wait(failing_since: datetime, now: datetime, longest: timedelta = LONGEST_WAIT) -> timedelta:
    """Return how long to wait after a failure, by how long it has failed."""
    return min(max(SHORTEST_WAIT, (now - failing_since) / 2), longest)


def after(health: Health, *, delivered: int, failed: int, now: datetime) -> Health:
    """Return how a destination does after some calls. One that has taken anything is well."""
    if delivered:
        return Health()
    if not failed:
        return health
    since = min(health.failing_since or now, now)
    worse = replace(health, failures=health.failures + failed, failing_since=since)
    return replace(worse, next_try_at=now + next_wait(since, now, LONGEST_PAUSE)) if worse.is_down else worse
