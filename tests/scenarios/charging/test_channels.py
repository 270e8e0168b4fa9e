"""Rules of a PG at charge time: maintenance is waited out and uses up no try, and a pace makes no one late for good."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from schedules.open_hours import SEOUL, OpenHours
from tests.scenarios.conftest import World
from worker import tasks
from worker.domain.channel_rules import ChannelRules
from worker.domain.clock import system_clock
from worker.ledger import channel_rules
from worker.sandbox.rules.behaviours import decline, pay


def rule(world: World, pg: str, rules: ChannelRules) -> None:
    with world.runtime.sessions.begin() as session:
        channel_rules.set_rules(session, pg, rules, reason="test", now=world.now)


def closed_for(world: World, hours: int) -> ChannelRules:
    local = world.now.astimezone(SEOUL)
    return ChannelRules(open_hours=OpenHours(maintenance=f"{local:%H}:00-{local + timedelta(hours=hours):%H}:00"))


def test_charges_wait_for_the_end_of_maintenance_and_others_do_not(world: World):
    rule(world, "kakaopay", closed_for(world, 3))
    waits, other = world.subscribe(decline(), pay()), world.subscribe(pg="payco")
    world.tick()
    assert [charge.status for charge in world.charges(other)] == ["paid"]
    assert [(charge.status, charge.declines) for charge in world.charges(waits)] == [("due", 0)]
    assert world.portone.report().again_requests == 1
    tasks.check_invariants()
    world.wait(hours=3)
    world.tick()
    tasks.check_invariants()
    assert world.sql("SELECT name FROM violations") == []
    assert [(charge.status, charge.declines) for charge in world.charges(waits)] == [("past_due", 1)]
    world.live(days=2)
    assert [charge.status for charge in world.charges(waits)] == ["paid"]
    world.assert_books_agree()


def test_maintenance_of_every_midnight_delays_each_charge_and_forgets_none(world: World):
    rule(world, "kakaopay", ChannelRules(open_hours=OpenHours(maintenance="23:30-00:30")))
    world.plan("nightly", cadence="day", charge_hour="0")
    code = world.subscribe(plan="nightly")
    world.live(days=5, step=timedelta(minutes=30))
    settled = world.sql(
        "SELECT a.started_at FROM attempts a JOIN charges c ON c.id = a.charge_id WHERE a.status = 'paid'"
    )
    assert len(settled) >= 5
    times = {row.started_at.astimezone(SEOUL).strftime("%H:%M") for row in settled}
    assert not {time for time in times if time >= "23:30" or time < "00:30"}
    assert {charge.status for charge in world.charges(code)} == {"paid"}
    world.assert_books_agree()


def test_charges_beyond_the_pace_are_made_later_in_the_same_run(world: World):
    rule(world, "kakaopay", ChannelRules(calls_per_second=20))
    for _ in range(30):
        world.subscribe()
    since, started = world.now, system_clock()
    world.runtime = replace(world.runtime, clock=lambda: since + (system_clock() - started))  # it goes on by itself
    world.restart_worker()
    tasks.open_charges()
    charged = tasks.charge()
    assert (charged["paid"], charged["ended"]) == (30, "nothing due")
    world.assert_books_agree()
