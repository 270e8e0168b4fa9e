"""Windows that a restored database lacks, and first payments that are backfilled into it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from tests.scenarios.restore.test_restored import Backup, catch_up
from worker.domain.states import SubscriptionStatus, SweepReason
from worker.ledger import charging_hold
from worker.sandbox.rules.behaviours import decline, pay
from worker.sandbox.switches import Repeat


@pytest.fixture
def till(world: World) -> Till:
    return Till(world)


def test_refunded_first_payment_starts_no_free_month(world: World, till: Till, database_url: str, tmp_path: Path):
    subscription = till.pending()
    backup = Backup(world, database_url, tmp_path / "last-night.dump")
    code = till.link(subscription, pg="kakaopay", with_payment=True)
    imp_uid = till.approve(till.open(code))
    till.complete(code, imp_uid)
    backup.restore()
    catch_up(world)
    world.wait(hours=2)
    world.tick()
    assert ("not_begun", "open") in world.discrepancies()
    world.portone.cancel_in_console(imp_uid)  # or `again review refund`, which is what the discrepancy asks for
    till.receive_webhook(till.webhook(imp_uid, "cancelled"))
    world.wait(days=3)
    code = till.link(subscription, pg="payco")
    till.complete(code, till.approve(till.open(code)))
    world.live(days=2)
    assert world.subscription(subscription).status is SubscriptionStatus.ACTIVE
    assert world.portone.report().charges == 2, "what was given back pays no month"
    assert world.broken_invariants() == {}


def test_only_reconciling_the_whole_life_of_a_lost_window_ends_the_wait(
    world: World, till: Till, database_url: str, tmp_path: Path
):
    world.portone.switch(repeated_paid=Repeat.ACCEPT, window_life_seconds=86_400)
    world.plan(dunning="1,2,3,4")
    world.subscribe(decline(times=2), pay())
    world.tick()  # attempt 001 is declined
    world.wait(hours=21)
    world.sweep()  # the daily one comes at this hour
    backup = Backup(world, database_url, tmp_path / "last-night.dump")
    world.wait(hours=2)
    world.tick()  # 002 is declined
    (charge,) = world.charges()
    window = till.open(till.link(charge=charge.id, pg="kakaopay"))  # of 003
    world.wait(hours=1)
    backup.restore()
    catch_up(world)
    world.wait(hours=21)
    assert world.sweep()["reason"] == "daily"
    world.wait(minutes=30)
    till.approve(window)  # no webhook comes
    world.wait(hours=2)
    with world.runtime.sessions.begin() as session:  # `again sweep --since` an hour ago; a gap does the same
        since = world.now - timedelta(hours=1)
        charging_hold.begin_sweep(
            session, reason=SweepReason.BY_HAND, holds_claims=False, since=since, until=world.now, now=world.now
        )
    world.sweep()
    world.tick()
    world.live(days=2)
    assert [times for times in world.paid_periods().values() if times > 1] == []


def test_charge_waiting_for_a_lost_window_without_retries_raises_no_alarm(
    world: World, database_url: str, tmp_path: Path
):
    world.subscribe(decline("-7", "점검", times=1), pay())
    world.tick()
    assert [each.declines for each in world.charges()] == [0]
    backup = Backup(world, database_url, tmp_path / "last-night.dump")
    world.wait(seconds=30)
    backup.restore()
    catch_up(world)
    for _ in range(12):
        world.wait(hours=1)
        world.tick()
    assert world.broken_invariants() == {}


def test_lost_decline_and_lost_window_do_not_pay_a_period_twice(
    world: World, till: Till, database_url: str, tmp_path: Path
):
    world.portone.switch(repeated_paid=Repeat.ACCEPT, window_life_seconds=86_400)
    world.plan(dunning="1,2,3,4")
    world.subscribe(decline(), pay())
    backup = Backup(world, database_url, tmp_path / "last-night.dump")
    world.tick()  # attempt 001 is declined
    (charge,) = world.charges()
    window = till.open(till.link(charge=charge.id, pg="kakaopay"))  # of 002
    world.wait(hours=1)
    backup.restore()
    catch_up(world)  # 001 is sent once more
    world.wait(hours=2)
    till.approve(window)
    world.live(days=2)
    assert [times for times in world.paid_periods().values() if times > 1] == []


def test_customer_with_a_lost_first_payment_is_not_charged_for_its_days_again(
    world: World, till: Till, database_url: str, tmp_path: Path
):
    subscription = till.pending()
    till.open(till.link(subscription, pg="kakaopay", with_payment=True))  # and left
    world.live(days=2)
    backup = Backup(world, database_url, tmp_path / "last-night.dump")
    world.wait(days=1)
    code = till.link(subscription, pg="payco")
    till.complete(code, till.approve(till.open(code)))
    world.tick()  # the first period is charged
    assert world.portone.report().charges == 1
    backup.restore()
    catch_up(world)
    world.wait(days=1)
    code = till.link(subscription, pg="payco")  # the key is lost, so the customer registers again
    till.complete(code, till.approve(till.open(code)))
    world.live(days=2)
    assert world.portone.report().charges == 1
