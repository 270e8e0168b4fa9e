"""The local dates and times of a cadence, before any time zone is applied."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import count

from croniter import croniter
from dateutil.relativedelta import relativedelta

from schedules.cadences import SEARCH_YEARS, Anchored, Cadence, Unit

_DAYS = {Unit.DAY: 1, Unit.WEEK: 7}
_MONTHS = {Unit.MONTH: 1, Unit.YEAR: 12}


def wall_times(cadence: Cadence, *, anchor_on: date, charge_hour: int, since_on: date) -> Iterator[datetime]:
    """Yield in order, without end, the naive times of a cadence from `since_on` on, which is the anchor or later."""
    if isinstance(cadence, Anchored):
        return _anchored_times(cadence, anchor_on, charge_hour, since_on)
    return _cron_times(cadence.expression, since_on)


def _anchored_times(cadence: Anchored, anchor_on: date, charge_hour: int, since_on: date) -> Iterator[datetime]:
    dates = (_anchored_date(cadence, anchor_on, n) for n in count(_steps_until(cadence, anchor_on, since_on)))
    return (datetime.combine(on, time(charge_hour)) for on in dates)


def _anchored_date(cadence: Anchored, anchor_on: date, steps: int) -> date:
    """Return a date, counted from the anchor: 31 January, 28 February, 31 March. Step by step the 28th would stay."""
    if days := _DAYS.get(cadence.unit):
        return anchor_on + timedelta(days=days * cadence.every * steps)
    return anchor_on + relativedelta(months=_MONTHS[cadence.unit] * cadence.every * steps)


def _steps_until(cadence: Anchored, anchor_on: date, since_on: date) -> int:
    """Return the number of steps to the first anchored date on `since_on` or later, without iterating."""
    if days := _DAYS.get(cadence.unit):
        steps = (since_on - anchor_on).days // (days * cadence.every)
    else:
        months = 12 * (since_on.year - anchor_on.year) + since_on.month - anchor_on.month
        steps = months // (_MONTHS[cadence.unit] * cadence.every)
    # Rounded down, so it is either this step or the next.
    return steps if _anchored_date(cadence, anchor_on, steps) >= since_on else steps + 1


def _cron_times(expression: str, since_on: date) -> Iterator[datetime]:
    """Yield the times of a cron expression, without a zone: with one, croniter fires twice in a repeated hour.

    A croniter has state, so threads must not share one; a new one costs 75 µs, and a copy hardly less.
    """
    just_before = datetime.combine(since_on, time.min) - timedelta(minutes=1)
    cron = croniter(expression, just_before, datetime, max_years_between_matches=SEARCH_YEARS)
    while True:
        yield cron.get_next()
