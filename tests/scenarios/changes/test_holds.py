"""While charging is held, what charges or refunds more waits; what charges less is done."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.scenarios.changes.test_refunds import Operator, acting_as
from tests.scenarios.conftest import World
from worker.domain.changes import ChangeKind, ChangeStatus, Moment
from worker.domain.errors import Refused
from worker.domain.states import SubscriptionStatus, SweepReason
from worker.ledger import charging_hold
from worker.sandbox.rules.behaviours import decline, pay
from worker.subscriptions import key_change
from worker.subscriptions.billing_keys import NewKey, add_key

HELD = "Charging is held until PortOne's payments were compared"
NOW = Moment.NOW


def hold(world: World) -> None:
    with world.runtime.sessions.begin() as session:
        times = {"since": world.now - timedelta(hours=1), "until": world.now + timedelta(hours=1), "now": world.now}
        charging_hold.begin_sweep(session, reason=SweepReason.GAP, holds_claims=True, **times)


def release(world: World) -> None:
    with world.runtime.sessions.begin() as session:
        assert charging_hold.release(session, by="me", reason="compared", now=world.now)


def at_renewal(world: World) -> str:
    """Subscribe, pay a month, and come to the moment at which the second begins, with charging held."""
    world.plan(amount="9900")
    code = world.subscribe(pay())
    world.tick()
    world.book.plan("gold", now=world.now, amount="19900")
    renewal = world.subscription(code).next_charge_at
    assert renewal is not None
    world._clock[0] = renewal + timedelta(minutes=1)
    hold(world)
    return code


def statuses(world: World) -> list[str]:
    return [charge.status.value for charge in world.charges()]


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        (ChangeKind.CHANGE_PLAN, {"plan": "gold"}),
        (ChangeKind.MOVE_RENEWAL, {"on": "2026-03-01"}),
        (ChangeKind.ONE_OFF, {"amount": 500, "name": "Fee"}),
        (ChangeKind.CREDIT, {"amount": 500}),
    ],
)
def test_change_that_may_charge_more_is_refused_during_a_hold(
    world: World, kind: ChangeKind, parameters: dict[str, Any]
):
    code = at_renewal(world)
    for ask in (world.preview, world.change):
        with pytest.raises(Refused, match=HELD):
            ask(kind, code, NOW, **parameters)
    assert (statuses(world), world.sql("SELECT FROM changes")) == (["paid"], [])


def test_change_for_a_later_date_is_scheduled_during_a_hold(world: World):
    code = at_renewal(world)
    change = world.change(ChangeKind.CHANGE_PLAN, code, (world.now + timedelta(days=10)).date(), plan="gold")
    assert (change.status, statuses(world)) == (ChangeStatus.SCHEDULED, ["paid"])


def test_charge_is_collected_again_once_the_hold_has_ended(world: World):
    world.plan(amount="9900", dunning="1")
    world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다", times=2), pay())
    world.tick()
    world.wait(days=1)
    world.tick()
    assert statuses(world) == ["uncollectible"]
    hold(world)
    (charge,) = world.charges()
    with pytest.raises(Refused, match=HELD):
        world.change(ChangeKind.COLLECT, charge.id)
    release(world)
    world.change(ChangeKind.COLLECT, charge.id)
    world.tick()
    assert statuses(world) == ["paid"]
    world.assert_books_agree()


@pytest.mark.parametrize("act", [ChangeKind.CANCEL, ChangeKind.PAUSE])
def test_subscription_that_is_ended_or_paused_during_a_hold_is_not_charged_after_it(world: World, act: ChangeKind):
    code = at_renewal(world)
    assert world.change(act, code, NOW).status is ChangeStatus.APPLIED
    assert statuses(world) == ["paid"], "what began meanwhile is not opened"
    release(world)
    world.tick()
    world.live(days=2)
    assert (statuses(world), world.portone.report().charges) == (["paid"], 1)
    assert world.broken_invariants() == {}


def test_charge_becomes_void_during_a_hold(world: World):
    world.plan(amount="9900")
    world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다"))
    world.tick()
    hold(world)
    (charge,) = world.charges()
    assert world.change(ChangeKind.VOID, charge.id).status is ChangeStatus.APPLIED
    assert statuses(world) == ["void"]


def test_earlier_change_that_is_due_waits_for_the_end_of_the_hold(world: World):
    world.plan(amount="9900")
    code = world.subscribe(pay())
    world.tick()
    world.book.plan("gold", now=world.now, amount="19900")
    earlier = world.change(ChangeKind.CHANGE_PLAN, code, Moment.PERIOD_END, plan="gold")
    renewal = world.subscription(code).next_charge_at
    assert renewal is not None
    world._clock[0] = renewal + timedelta(minutes=1)
    hold(world)
    world.change(ChangeKind.CANCEL, code, (world.now + timedelta(days=90)).date())
    assert [row.status for row in world.sql("SELECT status FROM changes")] == ["scheduled", "scheduled"]
    world.undo(earlier)
    release(world)
    world.tick()
    assert [charge.amount for charge in world.charges()] == [9900, 9900]


def test_cancellation_whose_time_has_come_is_not_undone_during_a_hold(world: World):
    world.plan(amount="9900")
    code = world.subscribe(pay())
    world.tick()
    end = world.change(ChangeKind.CANCEL, code)
    world._clock[0] = end.effective_at + timedelta(minutes=1)
    hold(world)
    with pytest.raises(Refused, match=f"The time of change {end.id} has come"):
        world.undo(end)
    release(world)
    world.tick()
    assert world.subscription(code).status in {SubscriptionStatus.CANCELED, SubscriptionStatus.ENDED}
    assert world.portone.report().charges == 1


def test_refund_waits_for_the_end_of_the_hold(world: World):
    world.plan(amount="9900")
    code = world.subscribe(pay())
    world.tick()
    hold(world)
    operator, charge = Operator(world), world.charges()[0].id
    with pytest.raises(Refused, match=HELD):
        operator.refund(charge, amount=1000)
    with pytest.raises(Refused, match=HELD):
        world.change(ChangeKind.CANCEL, code, NOW, refund="all")
    assert (world.portone.report().kept_krw, world.subscription(code).status) == (9900, SubscriptionStatus.ACTIVE)
    release(world)
    operator.refund(charge, amount=1000)
    assert world.portone.report().kept_krw == 8900


def test_refund_is_approved_once_the_hold_has_ended(world: World):
    world.changed(refund_review_amount=5000)
    world.plan(amount="9900")
    world.subscribe(pay())
    world.tick()
    operator = Operator(world)
    asked = operator.refund().change
    hold(world)
    with acting_as(world, "cli lee@host"):
        with pytest.raises(Refused, match=HELD):
            operator.approve(asked.id)
        release(world)
        assert operator.approve(asked.id).status is ChangeStatus.APPLIED


def test_key_is_replaced_after_the_hold_if_a_period_has_started(world: World):
    code = at_renewal(world)
    uid = "customer_uid_two_2"
    add_key(world.runtime.sessions, NewKey(customer_uid=uid, pg="payco"), now=world.now)
    with pytest.raises(Refused, match="Charging is held"):
        key_change.change_key(world.runtime.sessions, code, uid, reason="lost", max_amount=10**6, now=world.now)
