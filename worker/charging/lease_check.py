"""Whether what a claim took may still be sent: by every clock there is, for none of them goes on in all cases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from worker.domain.clock import Clock
from worker.domain.gateway import LeaseCheck


def lease_check(within: timedelta, monotonic: Callable[[], float], wall: Clock, clock: Clock) -> LeaseCheck:
    """Return a predicate that is true for as long as a claim made from now on may be sent.

    The time starts before the database is asked when the lease starts. Monotonic clocks may stand still with a machine
    that is paused from outside; the wall clock may be set, and is when such a machine resumes.
    """
    started, wall_started, started_at = monotonic(), wall(), clock()
    seconds = within.total_seconds()

    def holds_lease() -> bool:
        return monotonic() - started < seconds and wall() - wall_started < within and clock() - started_at < within

    return holds_lease
