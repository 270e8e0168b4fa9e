"""The end of a window's life: PortOne away just then, payments after it, and backups of before it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from tests.scenarios.restore.test_restored import Backup, catch_up
from worker.domain.states import SubscriptionStatus


@pytest.fixture
def till(world: World) -> Till:
    return Till(world)


@pytest.mark.parametrize("with_payment", [True, False])
def test_checkout_does_not_expire_because_portone_did_not_answer(world: World, till: Till, with_payment: bool):
    subscription = till.pending()
    code = till.link(subscription, pg="kakaopay", with_payment=with_payment)
    window = till.open(code)
    till.complete(code)  # asked too early; from then on there is an access token
    till.approve(window)  # the tab is closed; no webhook comes; and no worker runs for a day
    world.wait(hours=25)
    world.portone.switch(outage="error")
    till.run_maintenance()
    world.portone.switch(outage="none")
    world.live(days=1, step=timedelta(hours=6))
    assert till.status(code) == "done"
    assert world.subscription(subscription).status is SubscriptionStatus.ACTIVE


def test_first_payment_found_by_the_sweep_starts_its_subscription(world: World, till: Till):
    world.portone.switch(window_life_seconds=86_400)
    subscription = till.pending()
    parameters = till.agree(till.link(subscription, pg="kakaopay", with_payment=True))
    world.wait(hours=10)
    window = world.portone.open_window(parameters)["window"]["window_id"]
    for _ in range(16):
        world.wait(hours=1)
        world.tick()
    till.approve(window)  # 26 hours after it was agreed to, and no webhook comes
    world.wait(hours=1)
    world.sweep()
    world.live(days=2, step=timedelta(hours=6))
    assert [charge.status for charge in world.charges(subscription)] == ["paid"]
    assert world.subscription(subscription).status is SubscriptionStatus.ACTIVE


def test_payment_before_a_restored_backup_is_not_charged_again(
    world: World, till: Till, database_url: str, tmp_path: Path
):
    subscription = till.pending()
    world.wait(days=3)
    backup = Backup(world, database_url, tmp_path / "last-night.dump")
    code = till.link(subscription, pg="kakaopay", with_payment=True)
    till.complete(code, till.approve(till.open(code)))
    backup.restore()
    catch_up(world)
    assert [charge.status for charge in world.charges(subscription)] == ["paid"], "adopted, though it was late"
    world.wait(days=1)
    code = till.link(subscription, pg="payco")  # the key is forgotten too, so the customer registers again
    till.complete(code, till.approve(till.open(code)))
    world.live(days=2)
    assert world.portone.report().charges == 1


def test_checkout_reopened_by_a_backup_waits_until_payments_are_compared(
    world: World, till: Till, database_url: str, tmp_path: Path
):
    code = till.link(till.pending(), pg="payco")
    window = till.open(code)
    backup = Backup(world, database_url, tmp_path / "last-night.dump")
    till.complete(code, till.approve(window))
    world.tick()  # the first period is charged
    world.wait(days=1)
    backup.restore()
    catch_up(world)
    world.live(days=2)
    assert world.portone.report().charges == 1
