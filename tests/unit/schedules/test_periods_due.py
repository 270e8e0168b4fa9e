"""What happens to due periods: on time, late, and after a long outage."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from schedules.cadences import parse_cadence
from schedules.periods import CATCH_UP_GRACE, Opening, due_periods, period_starting
from schedules.plans import CatchUp, Plan

ANCHOR_ON = date(2026, 1, 31)
JAN, FEB, MAR, APR = (datetime(2026, month, day, 1, tzinfo=UTC) for month, day in [(1, 31), (2, 28), (3, 31), (4, 30)])
SECOND = timedelta(seconds=1)


def monthly(catch_up: CatchUp) -> Plan:
    return Plan(code="gold", name="골드 멤버십", amount=9900, cadence=parse_cadence("month"), catch_up=catch_up)


def due(
    catch_up: CatchUp, *, since: datetime = JAN, now: datetime, cap: int = 100
) -> tuple[list[datetime], list[datetime], datetime]:
    opening = due_periods(monthly(catch_up), ANCHOR_ON, next_charge_at=since, now=now, cap=cap)
    assert all(period.start.tzinfo is UTC for period in opening.open + opening.void)
    return [period.start for period in opening.open], [period.start for period in opening.void], opening.next_charge_at


@pytest.mark.parametrize("catch_up", list(CatchUp))
def test_period_is_not_opened_before_next_charge_at(catch_up):
    assert due(catch_up, now=JAN - SECOND) == ([], [], JAN)


@pytest.mark.parametrize("catch_up", list(CatchUp))
def test_period_is_opened_when_it_starts_and_not_before(catch_up):
    assert due(catch_up, now=JAN) == ([JAN], [], FEB)
    assert due(catch_up, since=FEB, now=FEB - SECOND) == ([], [], FEB)


@pytest.mark.parametrize(
    ("catch_up", "opened", "void"),
    [
        (CatchUp.ALL, [JAN, FEB, MAR], []),
        (CatchUp.LATEST, [MAR], [JAN, FEB]),
        (CatchUp.SKIP, [], [JAN, FEB, MAR]),
    ],
)
def test_periods_missed_in_a_long_outage_follow_the_catch_up_policy(catch_up, opened, void):
    assert due(catch_up, now=MAR + timedelta(days=9)) == (opened, void, APR)


@pytest.mark.parametrize(
    ("late", "is_opened"),
    [
        (timedelta(0), True),
        (timedelta(hours=8), True),  # a night's outage
        (CATCH_UP_GRACE, True),
        (CATCH_UP_GRACE + SECOND, False),
    ],
)
def test_catch_up_skip_has_a_days_grace(late, is_opened):
    opened, void, _ = due(CatchUp.SKIP, since=MAR, now=MAR + late)
    assert (opened, void) == (([MAR], []) if is_opened else ([], [MAR]))


def test_catch_up_skip_voids_a_period_when_a_later_one_has_started():
    daily = Plan(code="day", name="하루", amount=100, cadence=parse_cadence("day"), catch_up=CatchUp.SKIP)
    now = datetime(2026, 2, 2, 1, tzinfo=UTC)  # the start of 2 February, and a day after that of 1 February
    opening = due_periods(daily, ANCHOR_ON, next_charge_at=now - timedelta(days=1), now=now, cap=9)
    assert [period.start for period in opening.void] == [now - timedelta(days=1)]
    assert [period.start for period in opening.open] == [now]


@pytest.mark.parametrize(
    ("catch_up", "calls"),
    [
        (CatchUp.ALL, [([JAN], [], FEB), ([FEB], [], MAR), ([MAR], [], APR), ([], [], APR)]),
        # the first call must not treat January as the newest only because of its cap
        (CatchUp.LATEST, [([], [JAN], FEB), ([], [FEB], MAR), ([MAR], [], APR), ([], [], APR)]),
        (CatchUp.SKIP, [([], [JAN], FEB), ([], [FEB], MAR), ([], [MAR], APR), ([], [], APR)]),
    ],
)
def test_cap_of_one_opens_the_same_periods_in_more_calls(catch_up, calls):
    since = JAN
    for expected in calls:
        found = due(catch_up, since=since, now=MAR + timedelta(days=9), cap=1)
        assert found == expected
        since = found[-1]


def test_capped_opening_leaves_next_charge_at_in_the_past():
    now = MAR + timedelta(days=9)
    *_, next_charge_at = due(CatchUp.ALL, now=now, cap=2)
    assert next_charge_at == MAR <= now


def test_opened_period_carries_its_end():
    plan = monthly(CatchUp.ALL)
    opening = due_periods(plan, ANCHOR_ON, next_charge_at=JAN, now=FEB, cap=9)
    assert opening == Opening(
        open=(period_starting(plan, ANCHOR_ON, JAN), period_starting(plan, ANCHOR_ON, FEB)),
        void=(),
        next_charge_at=MAR,
    )


def test_cap_of_zero_is_rejected():
    with pytest.raises(ValueError, match="cap must be 1 or more, not 0"):
        due(CatchUp.ALL, now=JAN, cap=0)
