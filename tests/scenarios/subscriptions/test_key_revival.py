"""Keys killed by a mistaken decline: they are revived, and charged what the preview showed, to the won."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.scenarios.conftest import World
from tests.support import acts
from worker.domain.errors import Refused
from worker.domain.states import BillingKeyStatus
from worker.ledger import subscription_holds
from worker.sandbox.rules.behaviours import decline, pay
from worker.subscriptions import arrears, holds, key_revival


def key_of(world: World, code: str) -> int:
    (row,) = world.sql(f"SELECT billing_key_id FROM subscriptions WHERE code = '{code}'")
    return int(row.billing_key_id)


def preview(world: World, *key_ids: int) -> key_revival.Revival:
    return key_revival.preview(world.runtime.sessions, key_ids, clock=lambda: world.now)


def revive(world: World, agreed: key_revival.Revival) -> key_revival.Revival:
    return key_revival.revive(world.runtime.sessions, agreed, reason="the PG's mistake", clock=lambda: world.now)


def test_revived_key_is_charged_what_the_preview_showed(world: World):
    world.plan("daily", cadence="day")
    code = world.subscribe(decline("8350", "도난"), pay(), plan="daily", starts_on=date(2026, 1, 5))
    world.tick()
    world.live(days=2)
    key = key_of(world, code)
    assert world.portone.report().charges == 0
    agreed = preview(world, key)
    assert agreed.keys[key].charges >= 2
    assert world.sql(f"SELECT status FROM billing_keys WHERE id = {key}") == [("dead",)]  # nothing is done yet
    done = revive(world, agreed)
    assert done.left == ()
    for _ in range(agreed.total.charges):
        world.tick()
        world.wait(minutes=1)
    assert world.portone.report().charged_krw == agreed.total.amount
    assert {charge.status for charge in world.charges(code)} == {"paid"}
    world.assert_books_agree()


def test_key_revived_after_an_outage_is_charged_what_was_owed_behind_it(world: World):
    """Periods that passed while as many charges were unpaid as the plan allows are not owed, whatever the cause."""
    world.plan("daily", cadence="day", max_open_charges="3")
    code = world.subscribe(decline("8350", "도난"), *[pay()] * 12, plan="daily", starts_on=date(2026, 1, 5))
    world.tick()
    world.wait(days=10)
    owed = arrears.owed_by(world.runtime.sessions, code, now=world.now)
    agreed = preview(world, key_of(world, code))
    assert (agreed.total.charges, agreed.total.amount) == (owed.count, owed.amount) == (3, 3 * 9900)
    revive(world, agreed)
    for _ in range(12):
        world.wait(minutes=1)
        world.tick()
    assert world.portone.report().charged_krw == 3 * 9900
    world.assert_books_agree()


def test_keys_of_a_mistaken_suspension_are_revived_together(world: World):
    dead = [world.subscribe(decline("8350", "도난 (suspension)"), pay()) for _ in range(3)]
    other = world.subscribe(decline("8314", "유효기간 경과"))
    payer = world.subscribe()
    world.tick()
    ids = key_revival.killed_alike(
        world.runtime.sessions, killed_by="SUSPENSION", since=world.now - timedelta(hours=1), pg="kakaopay"
    )
    assert set(ids) == {key_of(world, code) for code in dead}
    agreed = preview(world, *ids)
    assert (agreed.total.charges, agreed.total.amount) == (3, 3 * 9900)
    revive(world, agreed)
    world.wait(minutes=1)
    world.tick()
    assert [world.charges(code)[0].status for code in (*dead, payer)] == ["paid"] * 4
    assert world.charges(other)[0].status == "past_due"
    assert world.portone.report().charged_krw == 4 * 9900
    world.assert_books_agree()


def test_key_that_owes_another_sum_by_then_stays_dead(world: World):
    world.plan("daily", cadence="day")
    code = world.subscribe(decline("8350", "도난"), pay(), plan="daily", starts_on=date(2026, 1, 5))
    world.tick()
    agreed = preview(world, key_of(world, code))
    world.wait(days=1)
    done = revive(world, agreed)
    assert done.left == (key_of(world, code),)
    assert world.sql(f"SELECT status FROM billing_keys WHERE id = {key_of(world, code)}") == [("dead",)]
    world.wait(minutes=1)
    world.tick()
    assert world.portone.report().charges == 0
    world.assert_books_agree()


def test_paused_subscription_of_a_revived_key_is_told_apart(world: World):
    code = world.subscribe(decline("8350", "도난"), pay())
    world.tick()
    acts.pause(world.runtime.sessions, code, reason="a month off", now=world.now)
    agreed = preview(world, key_of(world, code))
    assert (agreed.total.amount, agreed.total.waiting_amount) == (0, 9900)
    revive(world, agreed)
    world.wait(minutes=1)
    world.tick()
    assert world.portone.report().charges == 0
    world.assert_books_agree()


def test_held_subscription_of_a_revived_key_is_told_apart(world: World):
    code = world.subscribe(decline("8350", "도난"), pay())
    world.tick()
    ((held,),) = world.sql(f"SELECT id FROM subscriptions WHERE code = '{code}'")
    with world.runtime.sessions.begin() as session:
        subscription_holds.hold(session, {held: "too often"}, by="caps", now=world.now)
    agreed = preview(world, key_of(world, code))
    assert (agreed.total.amount, agreed.total.waiting_amount) == (0, 9900)
    revive(world, agreed)
    world.wait(minutes=1)
    world.tick()
    assert world.portone.report().charges == 0
    released = holds.release(world.runtime.sessions, code, reason="looked at", now=world.now)
    assert (released.count, released.amount) == (1, 9900)
    world.tick()
    assert world.portone.report().charged_krw == 9900
    world.assert_books_agree()


def test_revival_is_in_the_audit_with_its_reason(world: World):
    code = world.subscribe(decline("8350", "도난"), pay())
    world.tick()
    key = key_of(world, code)
    revive(world, preview(world, key))
    audit = world.sql(
        f"SELECT from_status, to_status, reason FROM audit WHERE entity = 'billing_key' AND entity_id = {key} "
        "ORDER BY id DESC LIMIT 1"
    )
    assert audit == [("dead", "active", "the PG's mistake")]


@pytest.mark.parametrize(("status", "forget_at"), [(BillingKeyStatus.ACTIVE, "NULL"), (BillingKeyStatus.DEAD, "now()")])
def test_key_that_is_alive_or_being_deleted_is_not_revived(world: World, status: BillingKeyStatus, forget_at: str):
    key = key_of(world, world.subscribe())
    world.sql(f"UPDATE billing_keys SET status = '{status}', forget_at = {forget_at} WHERE id = {key} RETURNING id")
    with pytest.raises(Refused):
        key_revival.dead_key(world.runtime.sessions, f"#{key}")
