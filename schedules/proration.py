"""What part of a price falls to some days of a period: for changes in the middle of one.

Days are those of the calendar in the plan's time zone, whatever its clocks do meanwhile: the period from 31 January to
28 February has 28 of them. The day on which something changes counts as unused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from schedules.periods import BillingPeriod


@dataclass(frozen=True, slots=True)
class DaysOfPeriod:
    """How many days of a period are left, of how many: 0 <= unused <= total.

    A period that ends on the day on which it began has none.
    """

    unused: int
    total: int

    def __post_init__(self) -> None:
        if not 0 <= self.unused <= self.total:
            raise ValueError(f"Of {self.total} days, {self.unused} cannot be unused.")

    @property
    def used(self) -> int:
        return self.total - self.unused


def days_of(period: BillingPeriod, zone: ZoneInfo, *, at: datetime) -> DaysOfPeriod:
    """Return the days of a period that are unused at an instant: from that day up to, not including, the last.

    Before the period all of them are unused, and after it none.
    """
    starts_on, ends_on, today = (
        instant.astimezone(zone).date()
        for instant in (period.start, period.end, min(max(period.start, at), period.end))
    )
    # A clock that is set back over midnight, as in Manila in 1844, must not leave a negative number of days.
    total = max((ends_on - starts_on).days, 0)
    return DaysOfPeriod(min(max((ends_on - today).days, 0), total), total)


def unused_part(amount: int, days: DaysOfPeriod) -> int:
    """Return the part of an amount, in won, that falls to the unused days; all of it, if none is used.

    The used part is rounded down to the won, so that the parts of one amount always add up to it. Of a period without
    days nothing is unused. Raises ValueError for a negative amount.
    """
    return amount - used_part(amount, days)


def used_part(amount: int, days: DaysOfPeriod) -> int:
    """Return the part of an amount, in won, that falls to the days that are used, rounded down."""
    if amount < 0:
        raise ValueError(f"Only an amount of 0 won or more falls to days, not {amount}.")
    return amount if not days.total else amount * days.used // days.total


def parts_by_days(amount: int, lengths: Sequence[int]) -> list[int]:
    """Return the parts of an amount, in won, that fall to stretches of so many days each; they add up to the amount.

    Each is what `unused_part` leaves of the ones before it. Raises ValueError for no days at all.
    """
    total = sum(lengths)
    if total <= 0:
        raise ValueError(f"There are no days among which {amount} won could be divided.")
    parts: list[int] = []
    used = 0
    for length in lengths:
        before, used = used, used + length
        parts.append(_until(amount, used, total) - _until(amount, before, total))
    return parts


def _until(amount: int, used: int, total: int) -> int:
    return used_part(amount, DaysOfPeriod(total - used, total))
