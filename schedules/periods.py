"""Which period a subscription is in, when the next begins, and which are due.

A period begins when it is charged: at the plan's hour on an anchored date, or when its cron fires, by the clocks of
the plan's zone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from zoneinfo import ZoneInfo

from schedules.cadences import Anchored, Cadence
from schedules.local_time import instant_of
from schedules.plans import CatchUp, Plan
from schedules.wall_times import wall_times

# With catch-up `skip`, a charge up to this late is still made: a deployment or a night's outage misses no period.
CATCH_UP_GRACE = timedelta(days=1)

_LOOKED_BACK = (40, 400, 4000)
"""Days back that are searched for the last start before an instant: months, years, the longest period there is."""

_CALENDARS_KEPT = 4096
"""Next starts that are kept: thousands of subscriptions, of many plans, stand at the same place of one calendar."""


@dataclass(frozen=True)
class BillingPeriod:
    """The time one charge pays for: from `start` up to, not including, `end`; both in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Opening:
    """Which periods become due charges, which become void ones, and when the next is due.

    `beyond` become void too: they passed while the plan's maximum of charges was unpaid. `next_charge_at` is in the
    past while more periods are due, so that the next tick opens them.
    """

    open: tuple[BillingPeriod, ...]
    void: tuple[BillingPeriod, ...]
    next_charge_at: datetime
    beyond: tuple[BillingPeriod, ...] = ()


def first_start(plan: Plan, anchor_on: date) -> datetime:
    """Return the first start: on the anchor itself; for a cron, its first fire from that local midnight on."""
    return next(_starts(plan.cadence, plan.time_zone, plan.charge_hour, anchor_on, since_on=anchor_on))


def next_start(plan: Plan, anchor_on: date, after: datetime) -> datetime:
    """Return the first start strictly later than `after`, which may be any instant, also one before the anchor."""
    # In UTC: of a time that is shown twice, both would be the same key.
    return _next_start(plan.cadence, plan.time_zone, plan.charge_hour, anchor_on, after.astimezone(UTC))


@lru_cache(maxsize=_CALENDARS_KEPT)
def _next_start(cadence: Cadence, time_zone: ZoneInfo, charge_hour: int, anchor_on: date, after: datetime) -> datetime:
    # Two days earlier: a clock change moves a start by a day at most, and which of two starts on one date is dropped
    # depends on the one before it.
    since_on = max(anchor_on, _local_date(after, time_zone) - timedelta(days=2))
    starts = _starts(cadence, time_zone, charge_hour, anchor_on, since_on=since_on)
    return next(start for start in starts if start > after)


def start_until(plan: Plan, anchor_on: date, at: datetime) -> datetime | None:
    """Return the last start at or before an instant; None when the anchor is later. A cron is searched ten years back.

    It is where the period that `at` falls into begins by the calendar, whatever was charged then.
    """
    on = _local_date(at, plan.time_zone)
    for days in _LOOKED_BACK:
        since_on = on - timedelta(days=days)
        if isinstance(plan.cadence, Anchored):
            since_on = max(since_on, anchor_on)
        found: datetime | None = None
        for start in _starts(plan.cadence, plan.time_zone, plan.charge_hour, anchor_on, since_on=since_on):
            if start > at:
                break
            found = start
        # A start on the first of these days may be another one's, which a clock change has put there: see _next_start.
        if found is not None and (days == _LOOKED_BACK[-1] or _local_date(found, plan.time_zone) > since_on):
            return found
    return found


def period_starting(plan: Plan, anchor_on: date, start: datetime) -> BillingPeriod:
    """Return the period from `start` to the start after it.

    `start` is not checked: after a change of plan, the first period runs from the old plan's date to the new
    plan's next.
    """
    return BillingPeriod(start.astimezone(UTC), next_start(plan, anchor_on, after=start))


def due_periods(plan: Plan, anchor_on: date, *, next_charge_at: datetime, now: datetime, cap: int) -> Opening:
    """Return what happens to the periods that began from `next_charge_at` to `now`, at most `cap` of them.

    Over calls that pass on `next_charge_at`, each period is returned exactly once, whatever the cap and clock changes.
    """
    if cap < 1:
        raise ValueError(f"At least one period must be allowed at a time, so cap must be 1 or more, not {cap}.")
    opened: list[BillingPeriod] = []
    void: list[BillingPeriod] = []
    while next_charge_at <= now and len(opened) + len(void) < cap:
        period = period_starting(plan, anchor_on, next_charge_at)
        (opened if _is_charged(plan.catch_up, period, now) else void).append(period)
        next_charge_at = period.end
    return Opening(tuple(opened), tuple(void), next_charge_at)


def within(opening: Opening, room: int) -> Opening:
    """Return the opening with its first `room` periods only; the later ones are not owed."""
    return replace(opening, open=opening.open[:room], beyond=opening.open[room:])


def _is_charged(catch_up: CatchUp, period: BillingPeriod, now: datetime) -> bool:
    """Return whether a started period is charged; independent of the others, so that a cap cannot change it."""
    if catch_up is CatchUp.ALL:
        return True
    is_newest = now < period.end
    if catch_up is CatchUp.LATEST:
        return is_newest
    return is_newest and now - period.start <= CATCH_UP_GRACE


def _starts(
    cadence: Cadence, time_zone: ZoneInfo, charge_hour: int, anchor_on: date, *, since_on: date
) -> Iterator[datetime]:
    """Return starts in order, one per local date: if a clock change puts two on one date, the first is kept."""
    times = wall_times(cadence, anchor_on=anchor_on, charge_hour=charge_hour, since_on=since_on)
    starts = (instant_of(wall, time_zone) for wall in times)
    return (next(on_one_date) for _, on_one_date in groupby(starts, key=lambda start: _local_date(start, time_zone)))


def _local_date(instant: datetime, time_zone: ZoneInfo) -> date:
    return instant.astimezone(time_zone).date()
