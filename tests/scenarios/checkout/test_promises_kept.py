"""What a page promises is kept, and what could not be known is left to an operator."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from tests.support import acts
from tests.support.sandbox import Api, RunningSandbox
from worker import process
from worker.checkout import Progress
from worker.domain.gateway import LookUpFailed
from worker.domain.outcomes import Answer
from worker.portone.adapter import PortOneGateway
from worker.reconciliation.attempts import reconcile
from worker.sandbox.rules.behaviours import decline

NO_BALANCE = decline("LACK_BALANCE", "잔액이 부족합니다")


@pytest.fixture
def till(world: World) -> Till:
    return Till(world)


def test_new_card_is_charged_at_once_what_its_page_says(world: World, till: Till):
    subscription = world.subscribe(NO_BALANCE)
    world.tick()
    code = till.link(subscription, pg="payco")
    view = till.view(code)
    assert (view.owed, view.charges_now) == (9900, True)
    till.complete(code, till.approve(till.open(code)))
    world.tick()
    assert [charge.status for charge in world.charges(subscription)] == ["paid"]


def test_page_of_a_first_key_charges_nothing_once_its_period_is_paid(world: World, till: Till):
    subscription = till.pending()
    code = till.link(subscription, with_payment=True)
    till.approve(till.open(code, "kakaopay"))
    runtime = world.runtime
    world.wait(hours=1)
    process.current().run(  # look-ups have settled it, and the link has not been looked after yet
        lambda gateway: reconcile(
            runtime.sessions,
            gateway,
            clock=runtime.clock,
            policy=runtime.policy,
            budget=timedelta(seconds=5),
            stopping=lambda: False,
        )
    )
    assert [charge.status for charge in world.charges(subscription)] == ["paid"]
    second = till.link(subscription, pg="payco")
    assert not till.view(second).charges_now


def test_first_payment_for_a_canceled_subscription_is_left_to_an_operator(world: World, till: Till):
    subscription = till.pending()
    code = till.link(subscription, pg="kakaopay", with_payment=True)
    window = till.open(code)
    acts.cancel(world.runtime.sessions, subscription, reason="changed their mind", now=world.now)
    assert till.complete(code, till.approve(window)).progress is Progress.DONE
    world.sweep()
    assert [status for _, status in world.discrepancies()] == ["open"]


def test_newest_card_stays_although_an_older_one_is_reported_later(world: World, till: Till):
    subscription = world.subscribe()
    first, last = till.link(subscription, pg="payco"), till.link(subscription, pg="kakaopay")
    windows = till.open(first), till.open(last)
    till.approve(windows[0])  # and its tab is closed
    world.wait(seconds=30)
    till.complete(last, till.approve(windows[1]))
    world.wait(minutes=2)
    world.tick()
    assert [row.pg for row in world.sql("SELECT pg FROM billing_keys WHERE status = 'active'")] == ["kakaopay"]


def test_first_payment_without_a_key_at_portone_is_left_to_an_operator(
    world: World, till: Till, sandbox: RunningSandbox
):
    code = till.link(till.pending(), pg="kakaopay", with_payment=True)
    imp_uid = till.approve(till.open(code))
    (customer_uid,) = till.keys_at_portone()
    with Api(sandbox.base_url) as api:
        api.delete(f"/subscribe/customers/{customer_uid}")
    assert till.complete(code, imp_uid).progress is Progress.WAITING
    world.live(days=2)
    assert [status for _, status in world.discrepancies()] == ["open"]


def test_paid_first_period_whose_key_never_comes_is_left_to_an_operator(
    world: World, till: Till, monkeypatch: pytest.MonkeyPatch
):
    async def odd(_: PortOneGateway, customer_uid: str) -> LookUpFailed:
        del customer_uid
        return LookUpFailed(Answer(http_status=200, message="an answer that we cannot read"))

    monkeypatch.setattr(PortOneGateway, "billing_key", odd)
    code = till.link(till.pending(), pg="kakaopay", with_payment=True)
    till.complete(code, till.approve(till.open(code)))
    world.live(days=4)
    assert world.statuses() == {"paid": 1}
    assert ("not_begun", "open") in world.discrepancies()
