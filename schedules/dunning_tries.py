"""When a declined charge is tried again by a dunning calendar, and why then; and when its tries are used up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from schedules.dunning import QUOTA_TIME_ZONE, DunningCalendar, DunningKind, DunningRule
from schedules.dunning_days import Step, Why, first_hour_of_next_month, keep_off, paydays_after
from schedules.local_time import instant_of

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class NextTry:
    """When a charge is tried again, in UTC; None when that is never. The steps led there, in their order."""

    at: datetime | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declines:
    """What a charge's next try depends on besides its calendar: its declines so far, the last one at `now`."""

    first_declined_at: datetime
    declines: int
    now: datetime
    time_zone: ZoneInfo
    charge_hour: int
    next_period_at: datetime | None = None  # when the next period of its subscription is charged; None: not known
    tried_at: tuple[datetime, ...] = ()  # when the key was tried lately, this last try included


def next_try(calendar: DunningCalendar, kind: DunningKind | None, facts: Declines) -> NextTry:
    """Return when a charge is tried again after one more decline of a kind, and why then.

    It falls on a local date counted from the first decline, at the plan's hour, and after the last decline. With days
    1,3,5,7, hour 10, Asia/Seoul, first declined on Friday 2 January 2026 at 10:00:03:

    >>> from schedules.dunning_text import parse_dunning
    >>> def tries(text, declined, kind=None, **more):
    ...     zone = ZoneInfo("Asia/Seoul")
    ...     first = datetime.fromisoformat(declined).replace(tzinfo=zone)
    ...     for each in all_tries(parse_dunning(text), kind, first, time_zone=zone, charge_hour=10, **more):
    ...         when = "never" if each.at is None else f"{each.at.astimezone(zone):%a %d %b %H:%M}"
    ...         print(when, *[step.why for step in each.steps])
    >>> tries("1,3,5,7", "2026-01-02T10:00:03")
    Sat 03 Jan 10:00 day
    Mon 05 Jan 10:00 day
    Wed 07 Jan 10:00 day
    Fri 09 Jan 10:00 day
    never spent

    Counting from the first decline keeps the days that the customer was told: a late retry does not move the later
    ones, and a day that has passed by then is not skipped, but made up for on the next date.

    A day that the calendar keeps off moves to the next one that it does not. Seollal 2026 is 16 to 18 February, from
    Monday to Wednesday; the decline is of Friday the 13th:

    >>> tries("1,3,5,7; no weekends; no holidays", "2026-02-13T10:00:03")
    Thu 19 Feb 10:00 day weekend holiday
    Fri 20 Feb 10:00 day holiday after_try
    Mon 23 Feb 10:00 day holiday after_try weekend
    Tue 24 Feb 10:00 day after_try
    never spent

    A low balance is tried on paydays, after office hours, and only before the next period:

    >>> tries("1,3; balance 1,payday,payday at 18-21", "2026-01-02T10:00:03", DunningKind.BALANCE,
    ...       next_period_at=datetime(2026, 2, 2, 1, tzinfo=UTC))
    Sat 03 Jan 18:00 day hour
    Sat 10 Jan 18:00 payday hour
    Sun 25 Jan 18:00 payday hour
    never spent
    >>> tries("7,14,payday", "2026-01-20T10:00:03", next_period_at=datetime(2026, 2, 2, 1, tzinfo=UTC))
    Tue 27 Jan 10:00 day
    never day next_period
    """
    if facts.declines < 1:
        raise ValueError(f"A retry follows a decline, so declines must be at least 1, not {facts.declines}.")
    rule = calendar.rule_of(kind)
    if facts.declines > rule.tries:
        return NextTry(None, (Step(Why.SPENT),))
    hour, moved = _hour(rule, facts.charge_hour)

    def strike(on: date) -> datetime:
        return instant_of(datetime.combine(on, time(hour)), facts.time_zone)

    on, planned = _planned_on(calendar, rule, facts)
    on, kept_off = keep_off(calendar, on)
    steps = [planned, *kept_off, *moved]
    if strike(on) <= facts.now:
        tomorrow = facts.now.astimezone(facts.time_zone).date() + _DAY
        on, kept_off = keep_off(calendar, tomorrow)
        steps += [Step(Why.AFTER_TRY, tomorrow), *kept_off]
    if _is_full(calendar, strike(on), facts.tried_at):
        freed_at = first_hour_of_next_month(
            strike(on), months_of=QUOTA_TIME_ZONE, time_zone=facts.time_zone, charge_hour=hour
        )
        freed_on = freed_at.astimezone(facts.time_zone).date()
        on, kept_off = keep_off(calendar, freed_on)
        steps += [Step(Why.MONTH_FULL, freed_on, str(calendar.tries_a_month)), *kept_off]
    if not calendar.is_plain and facts.next_period_at is not None:
        next_on = facts.next_period_at.astimezone(facts.time_zone).date()
        if on >= next_on:
            return NextTry(None, (*steps, Step(Why.NEXT_PERIOD, next_on)))
    # Later than its decline also where a date is shown twice.
    return NextTry(max(strike(on), facts.now.astimezone(UTC)), tuple(steps))


def all_tries(
    calendar: DunningCalendar,
    kind: DunningKind | None,
    first_declined_at: datetime,
    *,
    time_zone: ZoneInfo,
    charge_hour: int,
    next_period_at: datetime | None = None,
    tried_at: tuple[datetime, ...] = (),
) -> Iterator[NextTry]:
    """Yield every try after a first decline, each of which is declined as it falls due; the last one is never."""
    facts = Declines(
        first_declined_at=first_declined_at,
        declines=1,
        now=first_declined_at,
        time_zone=time_zone,
        charge_hour=charge_hour,
        next_period_at=next_period_at,
        tried_at=(*tried_at, first_declined_at),
    )
    while (following := next_try(calendar, kind, facts)).at is not None:
        yield following
        facts = replace(facts, declines=facts.declines + 1, now=following.at, tried_at=(*facts.tried_at, following.at))
    yield following


def not_before(
    calendar: DunningCalendar, kind: DunningKind | None, at: datetime, *, time_zone: ZoneInfo, charge_hour: int
) -> datetime:
    """Return the first instant from `at` on at which a calendar lets a charge be tried: what was put off keeps to it.

    >>> from schedules.dunning_text import parse_dunning
    >>> seoul = ZoneInfo("Asia/Seoul")
    >>> evening = datetime(2026, 2, 13, 20, 50, tzinfo=seoul)
    >>> for text in ("1,3", "1,3 at 10-20", "1,3 at 10-20; no weekends; no holidays"):
    ...     put_off = not_before(parse_dunning(text), None, evening, time_zone=seoul, charge_hour=10)
    ...     print(f"{put_off.astimezone(seoul):%a %d %b %H:%M}")
    Fri 13 Feb 20:50
    Sat 14 Feb 10:00
    Thu 19 Feb 10:00
    """
    if calendar.is_plain:
        return at
    rule = calendar.rule_of(kind)
    there = at.astimezone(time_zone)
    on, _ = keep_off(calendar, there.date())
    if on == there.date() and (rule.hours is None or there.hour in rule.hours):
        return at
    hour, _ = _hour(rule, charge_hour)
    while (strikes_at := instant_of(datetime.combine(on, time(hour)), time_zone)) < at:
        on, _ = keep_off(calendar, on + _DAY)
    return strikes_at


def _hour(rule: DunningRule, charge_hour: int) -> tuple[int, list[Step]]:
    """Return at what hour a try falls: the plan's, or the first that is allowed."""
    if rule.hours is None or charge_hour in rule.hours:
        return charge_hour, []
    return rule.hours.first, [Step(Why.HOUR, detail=str(rule.hours))]


def _planned_on(calendar: DunningCalendar, rule: DunningRule, facts: Declines) -> tuple[date, Step]:
    """Return the date that the calendar has for the next try, whatever day it is."""
    first_on = facts.first_declined_at.astimezone(facts.time_zone).date()
    if facts.declines <= len(rule.days):
        days = rule.days[facts.declines - 1]
        on = first_on + timedelta(days=days)
        return on, Step(Why.DAY, on, str(days))
    after = first_on + timedelta(days=rule.days[-1] if rule.days else 0)
    coming = paydays_after(after, calendar.paydays)
    on = [next(coming) for _ in range(facts.declines - len(rule.days))][-1]
    return on, Step(Why.PAYDAY, on)


def _is_full(calendar: DunningCalendar, at: datetime, tried_at: Sequence[datetime]) -> bool:
    """Return whether a key had its tries of the month that an instant is in."""
    if calendar.tries_a_month is None:
        return False
    return sum(_month(tried) == _month(at) for tried in tried_at) >= calendar.tries_a_month


def _month(at: datetime) -> tuple[int, int]:
    there = at.astimezone(QUOTA_TIME_ZONE)
    return there.year, there.month
