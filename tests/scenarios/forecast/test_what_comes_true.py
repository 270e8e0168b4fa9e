"""What a forecast says is what is charged, to the won, by day, plan and PG: the sandbox's own ledger says so."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import cycle

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schedules.open_hours import OpenHours
from schedules.plans import SEOUL, GateMode
from tests.scenarios.changes.test_consent_gate import consent, in_trial, tell
from tests.scenarios.conftest import World
from tests.scenarios.forecast import random_books
from tests.scenarios.forecast.random_books import ACTS, POOR, asked, foretold, of_lines, play, random_book
from worker import tasks
from worker.domain.blockers import Blocker
from worker.domain.changes import ChangeKind
from worker.domain.channel_rules import ChannelRules
from worker.domain.charge_limits import Total
from worker.domain.forecast import Forecast, Mark, day_of
from worker.ledger.channel_rules import set_rules
from worker.sandbox.rules.behaviours import pay

EXAMPLES = 2


def test_what_is_forecast_of_any_book_is_what_is_charged(world: World):
    random_books.sell(world)
    world.wait(days=18)  # of January: the month's end comes
    modes = cycle((GateMode.STRICT, GateMode.WARN))

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(st.integers(0, 10**9))
    def comes_true(number: int) -> None:
        world.changed(consent_gate=next(modes))
        codes = random_books.write(world, random_book(number))
        comes_true_in(world, random_book(number).first, random_book(number).length)
        random_books.end(world, codes)

    comes_true()


def comes_true_in(world: World, first: int, length: int, *, every_day: bool = False) -> Forecast:
    """Forecast some days, play them, and see that both are the same."""
    wanted = asked(world, first, length)
    forecast, lines = foretold(world, wanted)
    played = play(world, wanted.until, every_day=every_day)
    assert of_lines(lines) == {key: times for key, times in played.charges.items() if key[0] >= wanted.days.first}
    assert forecast.charges == {
        place: total for place, total in played.totals.items() if place.day >= wanted.days.first
    }
    world.assert_books_agree()
    return forecast


def test_every_act_on_a_subscription_is_foreseen(world: World):
    random_books.sell(world)
    subscribed = [(name, world.subscribe(pay(), plan="weekly")) for name in ACTS]
    world.tick()
    world.wait(days=6)  # no other week begins, and nothing is late
    on = day_of(world.now) + timedelta(days=3)
    for name, code in subscribed:
        ACTS[name](world, code, on)
    forecast = comes_true_in(world, 0, 16)
    assert {kind for kind, times in forecast.changes.items() if times} >= {
        *(ChangeKind.CANCEL, ChangeKind.PAUSE, ChangeKind.CHANGE_PLAN, ChangeKind.CHANGE_PRICE, ChangeKind.CREDIT)
    }
    assert set(forecast.held_by) == {Blocker.SUBSCRIPTION_HELD, Blocker.BILLING_KEY}
    assert forecast.marked[Mark.NEW_PRICE].charges > 1


def test_retry_is_foreseen_on_its_day_and_marked(world: World):
    world.subscribe(POOR, pay())
    world.tick()
    forecast = comes_true_in(world, 0, 5)
    assert forecast.total == forecast.marked[Mark.RETRY] == Total(1, 9_900)


def test_charges_of_a_pg_that_is_closed_just_now_are_foreseen_for_today(world: World):
    world.subscribe(pay())
    tasks.open_charges()
    local = world.now.astimezone(SEOUL)
    closed = OpenHours(maintenance=f"{local:%H}:00-{local + timedelta(hours=2):%H}:00")
    with world.runtime.sessions.begin() as session:
        set_rules(session, "kakaopay", ChannelRules(open_hours=closed), reason="test", now=world.now)
    forecast = comes_true_in(world, 0, 1)
    assert (forecast.total, forecast.held_by) == (Total(1, 9_900), {})


def test_acts_on_a_charge_that_waits_are_foreseen(world: World):
    postponed, voided, voided_later = (world.subscribe(POOR, pay()) for _ in range(3))
    world.tick()
    ids = {code: world.charges(code)[0].id for code in (postponed, voided, voided_later)}
    world.change(ChangeKind.POSTPONE, ids[postponed], until="2026-01-09")
    world.change(ChangeKind.VOID, ids[voided], date(2026, 1, 6))  # its retry comes at ten that day
    world.change(ChangeKind.VOID, ids[voided_later], date(2026, 1, 8))
    forecast = comes_true_in(world, 0, 8)
    assert [str(day) for day, total, _ in forecast.by_day if total.charges] == ["2026-01-06", "2026-01-09"]


def test_charges_that_were_opened_in_an_outage_are_foreseen_for_today(world: World):
    world.plan("newest", catch_up="latest", cadence="day")
    world.subscribe(pay(), plan="newest")
    world.tick()
    world.wait(days=3)
    forecast = comes_true_in(world, 0, 2)
    assert [total.charges for _, total, _ in forecast.by_day] == [1, 1]


def test_charge_that_the_gate_will_hold_is_foreseen_as_held(world: World):
    in_trial(world)
    forecast = comes_true_in(world, 1, 20)
    assert (forecast.total, forecast.held_by) == (Total(), {Blocker.GATE: Total(1, 9_900)})


def test_charge_that_the_gate_will_let_go_in_time_is_foreseen_on_that_day(world: World):
    code = in_trial(world)
    world.wait(days=12)
    consent(world, code)
    tell(world, code)  # a week before it counts: five days after the trial
    forecast = comes_true_in(world, 1, 20, every_day=True)
    assert [(str(day), total.charges) for day, total, _ in forecast.by_day if total.charges] == [("2026-01-24", 1)]


def test_price_rise_that_was_agreed_to_too_long_ago_is_foreseen_as_held(world: World):
    world.changed(consent_gate=GateMode.STRICT)
    random_books.sell(world)
    early, late = world.subscribe(pay()), world.subscribe(pay())  # on the 5th
    world.tick()
    world.change(ChangeKind.CHANGE_PRICE, early, date(2026, 3, 5), version=2, agreed=True)
    world.live(days=55, step=timedelta(days=11))
    world.change(ChangeKind.CHANGE_PRICE, late, date(2026, 3, 5), version=2, agreed=True)
    forecast = comes_true_in(world, 1, 10)
    assert forecast.total == forecast.marked[Mark.NEW_PRICE] == Total(1, 11_100)
    assert forecast.held_by == {Blocker.GATE: Total(1, 11_100)}


def test_charge_of_a_closed_channel_is_foreseen_when_it_opens(world: World):
    world.plan("late", cadence="day", charge_hour="23", amount="1100")
    world.plan("early", cadence="day", charge_hour="9", amount="3300")
    late, changing = (world.subscribe(pay(), plan="late", pg="payco") for _ in range(2))
    world.subscribe(pay(), plan="early")
    world.change(ChangeKind.CREDIT, changing, date(2026, 1, 7), amount=1_000)
    with world.runtime.sessions.begin() as session:
        rules = ChannelRules(open_hours=OpenHours("08:00-22:00"))
        set_rules(session, "payco", rules, reason="a story", now=world.now)
    world.change(ChangeKind.CANCEL, late, date(2026, 1, 8))  # at midnight, before the last one is made
    world.wait(hours=11)  # closed as it is asked
    forecast = comes_true_in(world, 1, 3)
    assert [total for _, total, _ in forecast.by_day] == [Total(3, 5_500), Total(3, 5_500), Total(2, 3_400)]


def test_forecast_of_a_later_day_knows_what_the_days_before_it_use_up(world: World):
    world.plan("daily", cadence="day", amount="1100")
    code = world.subscribe(pay(), plan="daily")
    world.tick()
    world.change(ChangeKind.CREDIT, code, amount=2_000)
    assert comes_true_in(world, 2, 1).total == Total(1, 200)
    assert comes_true_in(world, 1, 1).total == Total(1, 1_100)


def test_forecast_changes_no_row(world: World):
    random_books.sell(world)
    codes = [world.subscribe(pay(), plan="weekly") for _ in ACTS]
    world.subscribe(POOR, plan="weekly")
    world.tick()
    for code, act in zip(codes, ACTS.values(), strict=True):
        act(world, code, day_of(world.now) + timedelta(days=3))
    before = everything(world)
    forecast, _ = foretold(world, asked(world, 0, 28))
    assert forecast.total.charges > len(ACTS)
    assert everything(world) == before


def everything(world: World) -> dict[str, str]:
    """Return a digest of each table."""
    tables = [row.name for row in world.sql("SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'r' "
                                            "AND relnamespace = 'public'::regnamespace")]  # fmt: skip
    return {
        name: world.sql(f"SELECT md5(string_agg(r::text, '|' ORDER BY r::text)) AS digest FROM {name} r")[0].digest
        for name in tables
    }
