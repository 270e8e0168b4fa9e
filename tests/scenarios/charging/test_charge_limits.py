"""A runaway ends at a charge limit, on the sandbox's ledger too, until an operator resumes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from typer.testing import CliRunner

from tests.scenarios.conftest import World
from tests.support import acts
from worker.charging import kill_switch
from worker.cli.commands import app
from worker.domain import charge_limits
from worker.ledger import stops
from worker.subscriptions import holds


def set_caps(world: World, **settings: int) -> None:
    """Restart the worker with other charge limits."""
    world.runtime = replace(world.runtime, settings=world.runtime.settings.model_copy(update=settings))
    world.restart_worker()


def again(*arguments: str) -> str:
    """Run a command, and return its output on one line."""
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "400"})
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def stopped(world: World) -> dict[str, str]:
    with world.runtime.sessions() as session:
        standing = stops.active_stops(session)
    assert {stop.stopped_by for stop in standing} <= {charge_limits.STOPPED_BY_LIMIT}
    return {stop.scope: stop.reason for stop in standing}


def release(world: World, pg: str) -> None:
    world.wait(minutes=1)
    kill_switch.start_charging(world.runtime.sessions, pg, now=world.now)


def test_run_ends_at_its_charge_limit_until_an_operator_resumes(world: World):
    for _ in range(25):
        world.subscribe()
    set_caps(world, claim_chunk=4, max_run_charges=10)
    assert world.tick()["charged"]["claimed"] == 8  # another four would have been twelve
    assert world.portone.report().again_requests == 8
    world.tick()
    assert world.portone.report().again_requests == 8
    assert "AGAIN_MAX_RUN_CHARGES allows 10 charges" in again("status")
    assert "A charge limit had stopped it" in again("start", "kakaopay")
    world.tick()
    assert world.portone.report().charges == 16
    again("start", "kakaopay")
    world.tick()
    assert world.portone.report().charges == 25  # eight, and the last one
    assert stopped(world) == {}
    world.assert_books_agree()


def test_charge_of_fifty_million_won_holds_only_its_own_subscription(world: World):
    world.plan("monthly")
    dear = world.subscribe()
    world.sql("UPDATE plans SET amount = 50000000 RETURNING id")
    world.tick()
    assert stopped(world) == {}
    assert "AGAIN_MAX_AMOUNT allows 2,000,000 KRW" in again("status")
    assert f"again subscription release {dear}" in again("doctor", "stops")
    world.sql("UPDATE plans SET amount = 9900 RETURNING id")
    world.subscribe()
    world.subscribe(pg="payco")
    world.tick()
    assert world.portone.report().charges == 2
    assert "is held no more" in again("subscription", "release", dear)
    world.wait(minutes=1)
    world.tick()
    assert world.portone.report().charges == 2  # nothing has changed, and it is held again
    acts.cancel(world.runtime.sessions, dear, reason="a typing error", now=world.now)
    world.tick()
    assert "AGAIN_MAX_AMOUNT" not in again("status")
    assert world.statuses() == {"paid": 2, "void": 1}
    assert world.portone.report().charged_krw == 2 * 9900
    world.assert_books_agree()


def test_day_ends_at_its_charge_limit_across_all_runs(world: World):
    set_caps(world, claim_chunk=2, max_day_sum=5 * 9900)
    for due, sent in ((3, 3), (6, 5), (0, 5)):
        for _ in range(due):
            world.subscribe()
        world.tick()
        assert world.portone.report().again_requests == sent
        world.wait(minutes=10)
    assert "AGAIN_MAX_DAY_SUM" in stopped(world)["kakaopay"]
    release(world, "kakaopay")
    world.tick()
    assert world.statuses() == {"paid": 9}
    world.assert_books_agree()


def test_subscription_far_behind_is_held_while_others_are_charged(world: World):
    world.plan("daily", cadence="day")
    behind = world.subscribe(plan="daily", starts_on=date(2025, 12, 29))
    set_caps(world, max_subscription_charges_per_day=3)
    world.tick()
    assert world.portone.report().again_requests == 3
    bystander = world.subscribe()
    world.tick()
    assert world.portone.report().again_requests == 4
    assert [charge.status for charge in world.charges(bystander)] == ["paid"]
    assert stopped(world) == {}
    assert "4 times today" in again("status")
    waiting = next(charge.id for charge in world.charges(behind) if charge.status == "due")
    assert "Its subscription is held" in again("charge", "show", str(waiting))
    world.wait(minutes=1)
    holds.release(world.runtime.sessions, behind, reason="the customer was told", now=world.now)
    world.tick()
    assert world.portone.report().again_requests == 7
    world.assert_books_agree()


def test_seventy_two_due_periods_of_one_customer_stop_no_other(world: World):
    world.plan("hourly-like", cadence="day")
    world.subscribe(plan="hourly-like", starts_on=date(2025, 10, 26))
    set_caps(world, catch_up_limit=100, max_run_charges=40, max_day_charges=100, claim_chunk=10)
    for _ in range(6):
        world.tick()
    bystanders = [world.subscribe() for _ in range(5)]
    world.tick()
    assert stopped(world) == {}
    assert world.portone.report().again_requests == 20 + 5  # half of a run's charges, and all other customers
    for code in bystanders:
        assert [charge.status for charge in world.charges(code)] == ["paid"]
    world.assert_books_agree()


def test_default_charge_limits_stop_no_healthy_business(world: World):
    world.plan("daily", cadence="day")
    world.subscribe(plan="daily", starts_on=date(2025, 12, 20))  # seventeen periods behind
    for _ in range(30):
        world.subscribe()
    for _ in range(4):
        world.tick()
    assert stopped(world) == {}
    assert world.statuses() == {"paid": 47}
    world.assert_books_agree()
