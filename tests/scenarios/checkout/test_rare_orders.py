"""Window payments beside rarer things: restores amid dunning, forged webhooks, reassigned keys, old debts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import pytest
from sqlalchemy import text

from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from tests.scenarios.restore.test_restored import Backup, catch_up
from worker import checkout, process
from worker.checkout import Progress
from worker.domain.errors import Refused
from worker.domain.gateway import Gateway, LookUpFailed, NoSuchKey, StillScheduled
from worker.domain.states import SubscriptionStatus
from worker.sandbox.rules.behaviours import decline, pay
from worker.subscriptions import key_change, sign_up

NO_BALANCE = decline("LACK_BALANCE", "잔액이 부족합니다")


@pytest.fixture
def till(world: World) -> Till:
    return Till(world)


def overdue(world: World, *story: Any, **more: Any) -> tuple[str, int]:
    subscription = world.subscribe(*(story or (NO_BALANCE,)), **more)
    world.tick()
    (charge,) = world.charges(subscription)
    return subscription, charge.id


def test_window_forgotten_by_a_backup_does_not_pay_a_period_twice(
    world: World, till: Till, database_url: str, tmp_path: Path
):
    world.portone.switch(window_life_seconds=86_400)
    once = decline("LACK_BALANCE", "잔액이 부족합니다", times=1)
    _, charge_id = overdue(world, once, once, pay())
    backup = Backup(world, database_url, tmp_path / "last-night.dump")
    world.live(days=1)  # the second try is declined
    window = till.open(till.link(charge=charge_id, pg="kakaopay"))  # the third number's
    backup.restore()
    catch_up(world)
    world.portone.decide(window)
    world.live(days=5, step=timedelta(hours=12))
    world.sweep()
    assert [times for times in world.paid_periods().values() if times > 1] == []


def test_pg_that_cannot_take_the_plans_amount_registers_no_key_for_it(world: World, till: Till):
    world.plan("dear", amount="2500000")
    world.changed(max_amount=5_000_000)
    made = sign_up.subscribe(
        world.runtime.sessions, "gildong", plan="dear", key=None, max_amount=5_000_000, now=world.now
    )
    code = till.link(made.code)
    with pytest.raises(Refused, match="Choose how to pay: payco"):
        till.agree(code, "kakaopay")


def test_vat_of_a_plan_is_passed_to_a_window_that_takes_it(world: World, till: Till):
    world.changed(payment_channels=("nice",))
    world.plan("books", vat_amount="500", tax_free="4000")
    _, charge_id = overdue(world, plan="books")
    parameters = till.agree(till.link(charge=charge_id))
    assert (parameters["tax_free"], parameters.get("vat_amount")) == (4000, 500)


def test_webhook_forged_before_the_payment_does_not_hide_the_true_one(world: World, till: Till):
    world.portone.switch(window_life_seconds=86_400)
    subscription = till.pending()
    parameters = till.agree(till.link(subscription, pg="payco"))
    world.wait(hours=10)
    window = world.portone.open_window(parameters)["window"]["window_id"]
    (payment,) = world.portone.payments()
    forged = {"imp_uid": payment["imp_uid"], "merchant_uid": payment["merchant_uid"], "status": "paid"}
    till.receive_webhook(forged)
    world.wait(hours=15)
    till.run_maintenance()  # the link's windows are over
    assert till.approve(window) == payment["imp_uid"]
    till.receive_webhook(forged)  # it is true now, and was just looked up
    world.wait(minutes=3)
    till.run_maintenance()
    assert world.subscription(subscription).status is SubscriptionStatus.ACTIVE


def test_key_reassigned_while_being_deleted_is_not_charged_in_vain(world: World, till: Till):
    first, second = world.subscribe(), world.subscribe()
    code = till.link(second, pg="payco")
    till.complete(code, till.approve(till.open(code)))  # key 2 is replaced and waits for its deletion
    runtime = world.runtime

    class Slow:
        """A gateway with an operator who is quicker than its deletions."""

        def __init__(self, gateway: Gateway) -> None:
            self._gateway = gateway

        def __getattr__(self, name: str) -> Any:
            return getattr(self._gateway, name)

        async def delete_key(
            self, customer_uid: str, *, pg: str, reason: str, now: datetime
        ) -> NoSuchKey | StillScheduled | LookUpFailed:
            await asyncio.to_thread(
                key_change.change_key,
                runtime.sessions,
                first,
                "key-2",
                reason="by hand",
                max_amount=2_000_000,
                now=runtime.clock(),
            )
            return await self._gateway.delete_key(customer_uid, pg=pg, reason=reason, now=now)

    async def look(gateway: Gateway) -> None:
        await checkout.run_maintenance(runtime.checkout_context(Slow(gateway)), stopping=lambda: False)

    with suppress(Refused):  # to the person, which is as good
        process.current().run(look)
    key_id = world.subscription(first).billing_key_id
    ((status, customer_uid),) = world.sql("SELECT status, customer_uid FROM billing_keys WHERE id = :id", id=key_id)
    assert (status, customer_uid in till.keys_at_portone()) == ("active", True)


def test_uncollectible_charge_can_be_paid_by_hand(world: World, till: Till):
    subscription, charge_id = overdue(world)
    world.live(days=20, step=timedelta(days=1))
    assert [charge.status for charge in world.charges(subscription)] == ["uncollectible"]
    code = till.link(charge=charge_id, pg="kakaopay")
    assert till.complete(code, till.approve(till.open(code))).progress is Progress.DONE
    assert [charge.status for charge in world.charges(subscription)] == ["paid"]


def test_links_agreed_to_at_the_same_moment_open_the_same_window(world: World, till: Till):
    _, charge_id = overdue(world)
    links = [till.link(charge=charge_id, pg="kakaopay") for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        orders = {parameters["merchant_uid"] for parameters in pool.map(till.agree, links)}
    assert len(orders) == 1


def test_agreement_and_completion_do_not_deadlock(world: World, till: Till):
    code = till.link(till.pending(), pg="payco")
    till.approve(till.open(code))
    world.wait(minutes=5)
    errors: list[Exception] = []

    def run(call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - whatever it is, this thread must not hide it
            errors.append(error)

    with world.runtime.engine.connect() as connection:
        connection.execute(text("SELECT FROM database_identity FOR UPDATE"))
        first = Thread(target=run, args=(lambda: till.complete(code),))
        first.start()
        _until_waiting(world, 1)
        second = Thread(target=run, args=(lambda: till.agree(code),))
        second.start()
        _until_waiting(world, 2)
        connection.rollback()
    first.join()
    second.join()
    assert [each for each in errors if not isinstance(each, Refused)] == []


def _until_waiting(world: World, number: int) -> None:
    for _ in range(100):
        ((waiting,),) = world.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        if waiting >= number:
            return
        sleep(0.05)
    pytest.fail("nobody waits")
