"""The hours of the night in which customers are told nothing, in the time zone of their plan. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from schedules.local_time import instant_of

NEVER = "none"

_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` up to, not including, `end`, over midnight where the end is earlier."""

    start: time
    end: time

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"

    def are_on(self, at: datetime, zone: ZoneInfo) -> bool:
        shown = at.astimezone(zone).time()
        if self.start < self.end:
            return self.start <= shown < self.end
        return shown >= self.start or shown < self.end

    def end_after(self, at: datetime, zone: ZoneInfo) -> datetime:
        """Return when the quiet hours end that are on at an instant."""
        local = at.astimezone(zone)
        on = local.date() if local.time() < self.end else local.date() + timedelta(days=1)
        return instant_of(datetime.combine(on, self.end), zone)

    def start_before(self, at: datetime, zone: ZoneInfo) -> datetime:
        """Return when the quiet hours began that are on at an instant."""
        local = at.astimezone(zone)
        on = local.date() if local.time() >= self.start else local.date() - timedelta(days=1)
        return instant_of(datetime.combine(on, self.start), zone)


def parse_quiet_hours(text: str) -> QuietHours | None:
    """Return the hours in `21:00-08:00`; None for `none`. Raises ValueError for anything else."""
    if text.strip().lower() == NEVER:
        return None
    found = _HOURS.fullmatch(text.strip())
    if found is None:
        raise ValueError("must be two times such as 21:00-08:00, or none")
    hours = QuietHours(time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4])))
    if hours.start == hours.end:
        raise ValueError("must be two different times such as 21:00-08:00, or none")
    return hours
