"""Properties of every period, for any cadence, zone and anchor."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from croniter import croniter
from dateutil.tz import datetime_exists
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from schedules.cadences import Anchored, Cadence, Cron, Unit
from schedules.errors import InvalidCadence
from schedules.periods import CATCH_UP_GRACE, BillingPeriod, due_periods, first_start, next_start, period_starting
from schedules.plans import CatchUp, Plan

thorough = settings(max_examples=100, deadline=None, derandomize=True)

DAY_LEFT_OUT = "Pacific/Apia"  # 30 December 2011
ZONES_WITH_ALL_DAYS = [
    "Asia/Seoul",
    "America/New_York",
    "Europe/London",
    "Australia/Lord_Howe",  # half an hour
    "Africa/Casablanca",  # winter time in Ramadan
    "Africa/Cairo",  # forward at midnight
    "America/Havana",  # forward at midnight, back at one
]
zones = st.sampled_from([*ZONES_WITH_ALL_DAYS, DAY_LEFT_OUT]).map(ZoneInfo)
whole_zones = st.sampled_from(ZONES_WITH_ALL_DAYS).map(ZoneInfo)

anchors = st.one_of(
    st.dates(date(2008, 1, 1), date(2036, 12, 31)),
    st.dates(date(2011, 12, 20), date(2012, 1, 5)),  # around the day that Samoa left out
    st.dates(date(2023, 12, 29), date(2024, 3, 31)),  # month ends around a leap day
    st.dates(date(2026, 3, 1), date(2026, 4, 30)),  # clocks change somewhere nearly every week
    st.dates(date(2026, 9, 25), date(2026, 11, 5)),
)

anchored = st.builds(
    Anchored,
    st.one_of(st.just(1), st.integers(1, 10)),
    st.sampled_from(Unit),
)


def _one_or_more(values: SearchStrategy[int]) -> SearchStrategy[str]:
    some = st.lists(values, min_size=1, max_size=3).map(lambda found: ",".join(map(str, found)))
    return st.one_of(st.just("*"), values.map(str), some)


def _range_or_step(low: int, high: int) -> SearchStrategy[str]:
    ends = st.tuples(st.integers(low, high), st.integers(low, high)).filter(lambda ends: ends[0] < ends[1])
    return st.one_of(
        ends.map(lambda ends: f"{ends[0]}-{ends[1]}"),
        st.integers(2, high).map(lambda step: f"*/{step}"),
    )


@st.composite
def crons(draw: DrawFn) -> Cron:
    """Draw a cron that fires at most once a day; those that are rejected for too long a pause are left out."""
    minute, hour = draw(st.integers(0, 59)), draw(st.integers(0, 23))
    days = [_one_or_more(st.integers(1, 31)), _range_or_step(1, 31), st.sampled_from(["L", "L,15", "15W", "1W", "?"])]
    months = [
        st.just("*"),
        _one_or_more(st.integers(1, 12)),
        _range_or_step(1, 12),
        st.sampled_from(["FEB", "JAN-MAR"]),
    ]
    weekdays = [
        st.sampled_from(["*", "*", "*", "?", "MON-FRI", "SUN", "7", "FRI#2", "MON#1,WED#3", "L5"]),
        _one_or_more(st.integers(0, 6)),
    ]
    day, month, weekday = draw(st.one_of(days)), draw(st.one_of(months)), draw(st.one_of(weekdays))
    try:
        return Cron(f"{minute} {hour} {day} {month} {weekday}")
    except InvalidCadence as refused:
        assume("never fires" not in refused.reason)
        raise


def plan(cadence: Cadence, zone: ZoneInfo, *, hour: int = 10, catch_up: CatchUp = CatchUp.ALL) -> Plan:
    return Plan(
        code="gold",
        name="골드 멤버십",
        amount=9900,
        cadence=cadence,
        time_zone=zone,
        charge_hour=hour,
        catch_up=catch_up,
    )


plans = st.builds(plan, st.one_of(anchored, crons()), zones, hour=st.integers(0, 23))


def local_date(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()


def follow(plan: Plan, anchor_on: date, count: int) -> list[datetime]:
    starts = [first_start(plan, anchor_on)]
    while len(starts) < count:
        starts.append(next_start(plan, anchor_on, starts[-1]))
    return starts


@given(plan=plans, anchor_on=anchors)
@thorough
def test_starts_increase_strictly_and_fall_on_different_local_dates(plan, anchor_on):
    starts = follow(plan, anchor_on, 8)
    assert all(start.tzinfo is UTC for start in starts)
    assert local_date(starts[0], plan.time_zone) >= anchor_on
    assert all(earlier < later for earlier, later in pairwise(starts))
    dates = [local_date(start, plan.time_zone) for start in starts]
    assert len(set(dates)) == len(dates)


@given(plan=plans, anchor_on=anchors)
@thorough
def test_periods_touch_and_never_overlap(plan, anchor_on):
    periods = [period_starting(plan, anchor_on, start) for start in follow(plan, anchor_on, 5)]
    assert all(period.start < period.end for period in periods)
    assert all(earlier.end == later.start for earlier, later in pairwise(periods))


@given(plan=plans, anchor_on=anchors, permille=st.integers(0, 999), place=st.integers(0, 4))
@thorough
def test_next_start_from_anywhere_in_a_period_is_its_end(plan, anchor_on, permille, place):
    starts = follow(plan, anchor_on, 6)
    start, end = starts[place], starts[place + 1]
    inside = (end - start) * permille // 1000
    assert next_start(plan, anchor_on, start + inside) == end
    assert next_start(plan, anchor_on, end - timedelta(microseconds=1)) == end
    assert next_start(plan, anchor_on, starts[0] - inside - timedelta(microseconds=1)) == starts[0]


@given(cadence=anchored, zone=whole_zones, anchor_on=anchors, hour=st.integers(0, 23), steps=st.integers(1, 400))
@thorough
def test_anchored_start_is_the_anchors_day_or_the_months_last(cadence, zone, anchor_on, hour, steps):
    expected_on = _date_by_hand(cadence, anchor_on, steps)
    terms = plan(cadence, zone, hour=hour)
    midnight_before = datetime.combine(expected_on, time.min, UTC) - timedelta(days=1)
    found = [next_start(terms, anchor_on, midnight_before)]
    while local_date(found[-1], zone) < expected_on:
        found.append(next_start(terms, anchor_on, found[-1]))
    assert local_date(found[-1], zone) == expected_on
    assert len(found) <= 3
    was_shown = datetime_exists(datetime.combine(expected_on, time(hour), zone))
    assert not was_shown or found[-1].astimezone(zone).hour == hour


def _date_by_hand(cadence: Anchored, anchor_on: date, steps: int) -> date:
    """Return the date by counting months instead of adding them."""
    count = cadence.every * steps
    if cadence.unit in (Unit.DAY, Unit.WEEK):
        return anchor_on + timedelta(days=count * (7 if cadence.unit is Unit.WEEK else 1))
    months = anchor_on.year * 12 + anchor_on.month - 1 + count * (12 if cadence.unit is Unit.YEAR else 1)
    year, month = divmod(months, 12)
    return date(year, month + 1, min(anchor_on.day, monthrange(year, month + 1)[1]))


@given(anchor_on=anchors, zone=whole_zones, every=st.integers(1, 12))
@thorough
def test_anchors_day_returns_after_every_short_month(anchor_on, zone, every):
    terms = plan(Anchored(every, Unit.MONTH), zone)
    for start in follow(terms, anchor_on, 14):
        on = local_date(start, zone)
        assert on.day == min(anchor_on.day, monthrange(on.year, on.month)[1])


@given(cadence=crons(), zone=whole_zones, anchor_on=anchors)
@thorough
def test_cron_starts_are_croniters_once_per_local_date(cadence, zone, anchor_on):
    """Return croniter's fires with the zone, which repeat in a repeated hour; only the first of each date."""
    just_before = datetime.combine(anchor_on, time.min, zone) - timedelta(seconds=1)
    cron = croniter(cadence.expression, just_before.astimezone(UTC).astimezone(zone), datetime)
    fires: dict[date, datetime] = {}
    while len(fires) < 6:
        fire = cron.get_next()
        fires.setdefault(fire.date(), fire.astimezone(UTC))
    assert follow(plan(cadence, zone), anchor_on, 6) == list(fires.values())


@given(
    cadence=st.one_of(
        st.sampled_from([Anchored(1, Unit.DAY), Anchored(2, Unit.DAY), Anchored(1, Unit.MONTH)]), crons()
    ),
    zone=zones,
    anchor_on=anchors,
    catch_up=st.sampled_from(CatchUp),
    calls=st.lists(st.tuples(st.integers(-5, 20), st.integers(0, 86_400), st.integers(1, 4)), min_size=1, max_size=8),
)
@settings(thorough, max_examples=150)
def test_due_period_comes_up_exactly_once_for_any_caps_and_clock_changes(cadence, zone, anchor_on, catch_up, calls):
    terms = plan(cadence, zone, catch_up=catch_up)
    next_charge_at = first = first_start(terms, anchor_on)
    now = first
    opened: list[BillingPeriod] = []
    void: list[BillingPeriod] = []
    for days, seconds, cap in [*calls, (0, 0, 1000)]:  # the last call leaves nothing behind
        now += timedelta(days=days, seconds=seconds)
        opening = due_periods(terms, anchor_on, next_charge_at=next_charge_at, now=now, cap=cap)
        assert len(opening.open) + len(opening.void) <= cap
        assert opening.next_charge_at >= next_charge_at
        for period in opening.open:
            assert period.start <= now
            _check_opened(catch_up, period, now)
        for period in opening.void:
            _check_void(catch_up, period, now)
        opened += opening.open
        void += opening.void
        next_charge_at = opening.next_charge_at
    event(f"{catch_up}: {len(opened)} opened, {len(void)} void")

    seen = sorted([*opened, *void], key=lambda period: period.start)
    assert next_charge_at > now
    assert [period.start for period in seen] == follow(terms, anchor_on, len(seen) + 1)[:-1]
    assert [period.end for period in seen][-1:] == ([next_charge_at] if seen else [])


def _check_opened(catch_up: CatchUp, period: BillingPeriod, now: datetime) -> None:
    if catch_up is not CatchUp.ALL:
        assert now < period.end, "a later period had begun"
    if catch_up is CatchUp.SKIP:
        assert now <= period.start + CATCH_UP_GRACE


def _check_void(catch_up: CatchUp, period: BillingPeriod, now: datetime) -> None:
    assert catch_up is not CatchUp.ALL
    too_late = catch_up is CatchUp.SKIP and now > period.start + CATCH_UP_GRACE
    assert period.end <= now or too_late
