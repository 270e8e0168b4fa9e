"""Whatever customers, pumps, webhooks and days do in whatever order: one payment per period, and nothing in limbo."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from random import Random

import pytest

from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from worker.domain.errors import Refused
from worker.domain.states import ChargeStatus
from worker.sandbox.http.client import SandboxAdminError
from worker.sandbox.rules.behaviours import Reply, decline, pay, troubled

STEPS = 30
STORY = (
    decline("LACK_BALANCE", "잔액이 부족합니다", times=2),
    troubled(Reply.DROP, charged=False),
    decline("LACK_BALANCE", "잔액이 부족합니다"),
)
PAYING = (*STORY[:2], troubled(Reply.DROP, charged=True), pay())


class Crowd:
    """A customer with many tabs, a pump that never rests, and webhooks that come when they like."""

    def __init__(self, world: World, till: Till, seed: int) -> None:
        self.world, self.till, self.random = world, till, Random(seed)
        self.windows: list[str] = []
        self.subscription = till.pending(customer="second")
        self.overdue = world.subscribe(*(PAYING if seed % 2 else STORY))
        world.tick()
        self.links = [
            till.link(self.subscription, pg="kakaopay", with_payment=True),
            till.link(self.subscription),
            *(till.link(charge=charge.id) for charge in world.charges(self.overdue) for _ in range(2)),
            till.link(self.overdue),
        ]

    def act(self) -> None:
        acts: list[Callable[[], None]] = [self.open, self.open, self.decide, self.decide, self.hear, self.complete]
        self.random.choice([*acts, self.world_turns, self.world_turns])()

    def open(self) -> None:
        with suppress(Refused, AssertionError):
            self.windows.append(
                self.till.open(self.random.choice(self.links), self.random.choice(["kakaopay", "payco"]))
            )

    def decide(self) -> None:
        if self.windows:
            with suppress(SandboxAdminError):
                choice = self.random.choice(["approve", "approve", "decline", "close"])
                self.world.portone.decide(self.random.choice(self.windows), choice)

    def hear(self) -> None:
        payments = self.world.portone.payments()
        if payments:
            payment = self.random.choice(payments)
            self.till.receive_webhook(self.till.webhook(payment["imp_uid"], payment["status"]))

    def complete(self) -> None:
        with suppress(Refused):
            self.till.complete(self.random.choice(self.links))

    def world_turns(self) -> None:
        self.world.wait(minutes=self.random.choice([1, 10, 40, 300, 1500]))
        self.world.tick()


@pytest.mark.parametrize("seed", range(6))
def test_period_is_paid_once_in_every_order_of_events(world: World, seed: int):
    world.portone.switch(window_life_seconds=86_400)
    crowd = Crowd(world, Till(world), seed)
    for _ in range(STEPS):
        crowd.act()
        assert [period for period, times in world.paid_periods().items() if times > 1] == []
    world.live(days=12, step=timedelta(hours=8))
    assert ChargeStatus.CHARGING not in {charge.status for charge in world.charges()}
    assert world.sql("SELECT FROM checkouts WHERE status = 'opened'") == []
    world.sweep()
    world.assert_books_agree()
