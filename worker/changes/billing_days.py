"""The instant at which a period begins on a day that was chosen."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from schedules.local_time import instant_of
from schedules.periods import next_start
from schedules.plans import Plan
from worker.domain.changes import start_of
from worker.domain.errors import Refused


def read_day(name: str, value: object) -> date:
    """Return a day that was given as a parameter. Raises Refused."""
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise Refused(f"The day given as {name} is {value!r:.40} but must be a date such as 2027-03-01.") from None


def next_start_on(plan: Plan, anchor_on: date, on: date) -> datetime:
    """Return the first start by a plan's calendar on a day or after it, in the plan's time zone."""
    midnight = instant_of(datetime.combine(on, time.min), plan.time_zone)
    return next_start(plan, anchor_on, after=midnight - timedelta(microseconds=1))


def start_on_day(plan: Plan, on: date, *, after: datetime, now: datetime) -> datetime:
    """Return when a period begins on a day from which a subscription is to count.

    Raises Refused for a day that is over by `after`, that is more than ten years ahead, or on which a cron never fires.
    """
    start_of(on, plan.time_zone, now=now)
    start = next_start_on(plan, on, on)
    begins_on = start.astimezone(plan.time_zone).date()
    if begins_on != on:
        raise Refused(
            f"Plan {plan.code!r} is billed by {plan.cadence}, and so not on {on}; the next day it is billed on is "
            f"{begins_on}."
        )
    if start <= after:
        raise Refused(f"A period of {on} would have started already; give a later day.")
    return start
