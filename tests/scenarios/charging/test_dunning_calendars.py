"""Declined charges in the weeks of Seollal and Chuseok, on a payday and before the next period."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.scenarios.conftest import World
from tests.support.notices import notices, tell
from worker.domain.changes import ChangeKind
from worker.domain.events.types import EventType
from worker.domain.states import SubscriptionStatus
from worker.events.reading import read_events
from worker.sandbox.rules.behaviours import Behaviour, Reply, decline, pay, troubled

SEOUL = ZoneInfo("Asia/Seoul")


def low_balance(times: int = 99) -> Behaviour:
    return decline("LACK_BALANCE", "잔액이 부족합니다", times=times)


def over_limit(times: int = 99) -> Behaviour:
    return decline("8326", "한도초과", times=times)


@pytest.fixture
def clock_box(request: pytest.FixtureRequest) -> list[datetime]:
    """Noon in Seoul on the story's first day, in a box that the sandbox and the worker share."""
    return [datetime.fromisoformat(f"{request.param}T12:00").replace(tzinfo=SEOUL).astimezone(UTC)]


def live_until(world: World, day: str) -> None:
    """Turn the clock to each instant at which something falls due, with a tick, until a day's end in Seoul."""
    end = datetime.fromisoformat(f"{day}T23:30").replace(tzinfo=SEOUL)
    while (at := next_instant(world)) is not None and at < end:
        world.wait(seconds=(at - world.now).total_seconds() or 60)
        world.tick()


def next_instant(world: World) -> datetime | None:
    """Return when a charge is tried or looked up, a period begins or a change is applied next."""
    rows = world.sql("""
        SELECT next_attempt_at AS at FROM charges UNION ALL SELECT next_charge_at FROM subscriptions
        UNION ALL SELECT effective_at FROM changes WHERE status = 'scheduled'
        UNION ALL SELECT next_lookup_at FROM attempts""")
    return min((max(row.at, world.now) for row in rows if row.at is not None), default=None)


def tried(world: World) -> list[str]:
    """Return when there were attempts, by Seoul's clocks."""
    return [f"{attempt.started_at.astimezone(SEOUL):%m-%d %H}" for attempt in world.attempts()]


@pytest.mark.parametrize("clock_box", ["2026-02-13"], indirect=True)
def test_week_of_seollal_is_kept_off_and_the_charge_is_paid_after_it(world: World):
    world.plan(dunning="1,3,5; no weekends; no holidays", notices="declined")
    code = world.subscribe(low_balance(times=2), pay())
    world.tick()
    (charge,) = world.charges(code)
    assert charge.next_attempt_at == datetime(2026, 2, 19, 1, tzinfo=UTC)
    tell(world)
    (told,), (declined,) = notices(world), read_events(world.runtime.sessions, types=[EventType.CHARGE_DECLINED])
    assert "2026년 2월 19일에 다시 결제를 시도합니다" in told.content["texts"]["ko"]["body"]
    assert declined.data["charge"]["next_attempt_at"] == "2026-02-19T01:00:00Z"
    live_until(world, "2026-02-20")
    assert tried(world) == ["02-13 12", "02-19 10", "02-20 10"]
    assert world.statuses() == {"paid": 1}
    assert world.subscription(code).status is SubscriptionStatus.ACTIVE
    world.assert_books_agree()


@pytest.mark.parametrize("clock_box", ["2026-09-23"], indirect=True)
def test_week_of_chuseok_is_kept_off_and_its_payday_moves_behind_it(world: World):
    # the 25th is Chuseok, and the 28th the first day after it
    world.plan(dunning="1,3; balance payday; no weekends; no holidays")
    poor, limited = world.subscribe(low_balance(times=1), pay()), world.subscribe(over_limit(times=2), pay())
    world.tick()
    live_until(world, "2026-09-29")
    assert tried(world) == ["09-23 12", "09-23 12", "09-28 10", "09-28 10", "09-29 10"]
    assert [charge.declines for code in (poor, limited) for charge in world.charges(code)] == [1, 2]
    assert world.statuses() == {"paid": 2}
    world.assert_books_agree()


@pytest.mark.parametrize("clock_box", ["2026-01-06"], indirect=True)
def test_low_balance_is_tried_on_payday_in_the_evening_and_a_limit_in_the_morning(world: World):
    world.plan(dunning="1,3; balance payday,payday at 18-21")
    poor, limited = world.subscribe(low_balance(times=2), pay()), world.subscribe(over_limit(times=1), pay())
    world.tick()
    live_until(world, "2026-01-25")
    assert tried(world) == ["01-06 12", "01-06 12", "01-07 10", "01-10 18", "01-25 18"]
    assert [charge.declines for code in (poor, limited) for charge in world.charges(code)] == [2, 1]
    assert world.statuses() == {"paid": 2}
    world.assert_books_agree()


@pytest.mark.parametrize("clock_box", ["2026-01-06"], indirect=True)
def test_next_period_ends_the_calendar_and_then_the_subscription(world: World):
    world.plan(cadence="week", dunning="3,6,payday at 9-21; no weekends", dunning_end="cancel")
    code = world.subscribe(over_limit())
    world.tick()
    live_until(world, "2026-01-14")
    # Friday the 9th; day 6 is Monday the 12th; the payday of the 25th would come after the charge of the 13th
    assert tried(world) == ["01-06 12", "01-09 10", "01-12 10"]
    (charge,) = world.charges(code)
    assert (charge.status, charge.declines) == ("uncollectible", 3)
    assert world.subscription(code).status is SubscriptionStatus.ENDED
    assert world.paid_periods() == {}
    world.assert_books_agree()


@pytest.mark.parametrize("clock_box", ["2026-01-06"], indirect=True)
def test_calendar_cut_by_the_next_period_leaves_that_period_to_be_charged(world: World):
    world.plan(cadence="week", dunning="3,10 at 9-21")
    code = world.subscribe(over_limit(times=2), pay())
    world.tick()
    live_until(world, "2026-01-14")
    assert tried(world) == ["01-06 12", "01-09 10", "01-13 10"]
    assert [charge.status for charge in world.charges(code)] == ["uncollectible", "paid"]
    assert len(world.paid_periods()) == 1
    world.assert_books_agree()


@pytest.mark.parametrize("clock_box", ["2026-01-06"], indirect=True)
def test_key_has_its_tries_of_a_month_over_all_its_subscriptions(world: World):
    world.plan(dunning="1,2,3; tries 3 a month")
    world.plan("other", dunning="none")
    code = world.subscribe(over_limit(times=3), pay())
    # a second subscription of the key is tried in the same month, and declined
    world.subscribe(plan="other")
    world.sql("UPDATE subscriptions SET billing_key_id = (SELECT min(id) FROM billing_keys)")
    world.tick()
    live_until(world, "2026-02-01")
    assert len(tried(world)) == 4
    assert tried(world)[2:] == ["01-07 10", "02-01 10"]
    assert world.charges(code)[0].status == "paid"
    world.assert_books_agree()


@pytest.mark.parametrize("clock_box", ["2026-01-06"], indirect=True)
def test_try_without_an_answer_counts_once_among_those_of_the_month(world: World):
    world.plan(dunning="1,2,3; tries 3 a month")
    world.subscribe(over_limit(times=1), troubled(Reply.DROP, charged=False), over_limit(times=2), pay())
    world.tick()
    live_until(world, "2026-02-01")
    # what was proved absent is sent again under its number: no try of its own
    assert tried(world) == ["01-06 12", "01-07 10", "01-08 10", "02-01 10"]
    assert world.statuses() == {"paid": 1}
    world.assert_books_agree()


@pytest.mark.parametrize("clock_box", ["2026-01-06"], indirect=True)
def test_preview_promises_no_day_that_depends_on_what_the_next_decline_is_for(world: World):
    for plan, dunning in (("same", "1,3; limit 1,3"), ("other", "1,3; balance 1,payday")):
        world.plan(plan, dunning=dunning)
        code = world.subscribe(over_limit(), plan=plan)
        world.tick()
        (charge,) = world.charges(code)
        said = world.preview(ChangeKind.COLLECT, charge.id).effect.sentence.en
        assert ("depends on what it is declined for" in said) is (plan == "other")
        assert ("is tried again on 2026-01-09" in said) is (plan == "same")
