"""Anchors of subscriptions whose periods are to begin on another day than before."""

from __future__ import annotations

from calendar import monthrange
from datetime import date

from dateutil.relativedelta import relativedelta

from schedules.cadences import Anchored, Cadence, Unit

_MONTHS = {Unit.MONTH: 1, Unit.YEAR: 12}
_STEPS = 12
"""Steps back that are tried: after a year of months, or two leap years, the same lengths of months come again."""


def anchor_from(cadence: Cadence, on: date, *, day: int) -> date:
    """Return an anchor from which a period begins on `on`, and later ones on this day of the month, where it has one.

    From 28 February with the day 31, a monthly cadence is anchored in the January before: it goes on with 31 March.
    Where the day does not fit (on 28 February no period of the day 15 begins), and for cadences that do not count
    months, it is `on` itself.
    """
    if not isinstance(cadence, Anchored) or cadence.unit not in _MONTHS or not _is_cut_short(on, day):
        return on
    months = _MONTHS[cadence.unit] * cadence.every
    for steps in range(1, _STEPS + 1):
        month = on - relativedelta(months=months * steps)
        if _days_in(month) >= day:
            return month.replace(day=day)
    return on


def _is_cut_short(on: date, day: int) -> bool:
    """Return whether a date is the last of a month that is too short for this day."""
    return on.day == _days_in(on) < day


def _days_in(month: date) -> int:
    return monthrange(month.year, month.month)[1]
