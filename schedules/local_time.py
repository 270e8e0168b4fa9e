"""The instant at which clocks in a zone show a given time, also on days when they jump."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant, in UTC, at which clocks in `zone` show the naive time `wall`.

    A time shown twice, because clocks went back, is the first of the two. A time never shown, because they went
    forward, is the instant of the jump: 02:30 becomes 03:00, and any time on the day that Samoa left out becomes
    the next midnight.
    """
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    # PEP 495: equal on ordinary days, in order when shown twice, the wrong way round when never shown.
    return first if first <= second else _jump_between(second, first, zone)


def _jump_between(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the second in which the zone's offset changes between two instants that lie on either side of it."""
    old_offset = before.astimezone(zone).utcoffset()

    def has_jumped(seconds: int) -> bool:
        return (before + timedelta(seconds=seconds)).astimezone(zone).utcoffset() != old_offset

    seconds = range(int((after - before).total_seconds()))
    return before + timedelta(seconds=bisect_left(seconds, True, key=has_jumped))
