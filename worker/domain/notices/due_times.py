"""When a notice is due. Pure.

What is told some days ahead may have to be: it is never told later for the night's sake, but earlier. What follows a
fact waits for the morning.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from schedules.local_time import instant_of
from worker.domain.notices.quiet_hours import QuietHours

MARGIN = timedelta(hours=2)
"""Before the last moment, so that a notice is in time though a tick or a walk over many subscriptions is late."""


def due_ahead(about: datetime, days: int, *, zone: ZoneInfo, quiet: QuietHours | None) -> datetime:
    """Return when to tell of something that comes, at least so many days before it: in the night, the evening before.

    With 7 days, charged on 15 March at 10:00 in Seoul: on 8 March at 08:00. Charged at 05:00: on 7 March at 19:00.
    """
    local = about.astimezone(zone).replace(tzinfo=None)
    due = instant_of(local - timedelta(days=days), zone) - MARGIN
    if quiet is None or not quiet.are_on(due, zone):
        return due
    return quiet.start_before(due, zone) - MARGIN


def told_ahead(about: datetime, due: datetime, *, now: datetime, zone: ZoneInfo, quiet: QuietHours | None) -> bool:
    """Return whether it is told now of something that comes.

    What is late already, as of a subscription that was resumed, waits for the morning, unless that is too late.
    """
    if now < due or now >= about:
        return False
    return quiet is None or not quiet.are_on(now, zone) or quiet.end_after(now, zone) >= about


def due_after(at: datetime, *, zone: ZoneInfo, quiet: QuietHours | None) -> datetime:
    """Return when to tell of something that has happened: at once, or in the morning."""
    return quiet.end_after(at, zone) if quiet is not None and quiet.are_on(at, zone) else at
