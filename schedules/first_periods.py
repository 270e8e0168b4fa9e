"""The first period on other terms: from any instant to the next start by a calendar, and its part of a price."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from schedules.periods import BillingPeriod, next_start, start_until
from schedules.plans import Plan
from schedules.proration import DaysOfPeriod, days_of


@dataclass(frozen=True, slots=True)
class FirstPeriod:
    """A period from the start of other terms on.

    `whole` is the period of the calendar that it is a part of, or all of: what the price is for. `days` says which part
    of that price falls to it. Its days from `given_from` on were given before, and stay given: no price falls to them.
    """

    period: BillingPeriod
    whole: BillingPeriod
    days: DaysOfPeriod
    given_from: datetime | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it has all days of its period, so that the whole price is charged."""
        return self.days.unused == self.days.total


def first_period(plan: Plan, anchor_on: date, start: datetime) -> FirstPeriod:
    """Return the period from `start` to the next start by the calendar of a plan and an anchor.

    From a billing date on, before or after the plan's hour, it is a whole one: what ends on the day on which it begins
    is no period, so it then runs to the start after that.
    """
    end = next_start(plan, anchor_on, after=start)
    began = start_until(plan, anchor_on, start) or start
    days = days_of(BillingPeriod(began, end), plan.time_zone, at=start)
    if not days.unused:
        began, end = start, next_start(plan, anchor_on, after=end)
        days = days_of(BillingPeriod(began, end), plan.time_zone, at=start)
    return FirstPeriod(BillingPeriod(start, end), BillingPeriod(began, end), days)


def is_same_calendar(one: Plan, other: Plan) -> bool:
    """Return whether the periods of two plans begin at the same times, counted from the same anchor."""
    return (one.cadence, one.time_zone, one.charge_hour) == (other.cadence, other.time_zone, other.charge_hour)
