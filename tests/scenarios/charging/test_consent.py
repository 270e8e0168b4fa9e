"""The sum that a page, a host or a command shows is, to the won, the sum that is charged."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.scenarios.checkout.story import BUYER, Till
from tests.scenarios.conftest import World
from worker import HostCheckout
from worker.checkout import CheckoutView, OwedAmountChanged, Progress
from worker.domain.errors import Refused
from worker.domain.states import SubscriptionStatus
from worker.sandbox.rules.behaviours import decline
from worker.subscriptions import arrears, key_change

LOST_CARD = decline("CC04", "분실 또는 사용불가 카드")
DAY = timedelta(days=1)


@pytest.fixture
def till(world: World) -> Till:
    return Till(world)


def lost_card(world: World, *, cadence: str, periods: int, **terms: str) -> str:
    """Make a subscription whose card was lost at its first charge, `periods` ago."""
    world.plan(cadence=cadence, **terms)
    code = world.subscribe(LOST_CARD)
    world.tick()
    for _ in range(periods - 1):
        world.wait(days={"day": 1, "month": 31}[cadence])
        world.tick()
    assert world.portone.report().charged_krw == 0
    return code


def replaced(till: Till, link: str, *, pg: str = "payco") -> None:
    assert till.complete(link, till.approve(till.open(link, pg))).progress is Progress.DONE


def settle_all(world: World) -> None:
    """Tick until nothing more is charged, within the same period."""
    for _ in range(60):
        world.tick()
        world.wait(seconds=30)
        if world.statuses().keys() <= {"paid", "void"}:
            break
    world.tick()


@pytest.mark.parametrize(
    ("cadence", "periods", "limit", "owed"),
    [("day", 22, "30", 22), ("day", 22, "3", 3), ("day", 2, "3", 2), ("month", 4, "4", 4), ("month", 4, "3", 3)],
)
def test_replaced_key_is_charged_what_the_page_showed(
    world: World, till: Till, cadence: str, periods: int, limit: str, owed: int
):
    code = lost_card(world, cadence=cadence, periods=periods, max_open_charges=limit)
    link = till.link(code)
    said = till.view(link)
    assert (said.owed, said.owed_periods) == (9900 * owed, owed)
    replaced(till, link)
    settle_all(world)
    assert world.portone.report().charged_krw == said.owed
    assert world.subscription(code).status is SubscriptionStatus.ACTIVE
    world.assert_books_agree()


def test_key_replaced_on_a_hosts_page_is_charged_what_the_host_showed(world: World, till: Till):
    code = lost_card(world, cadence="month", periods=4, max_open_charges="12")
    host, customer = HostCheckout(world.runtime), "customer-1"
    terms: dict[str, Any] = {"wording": "shop-1", "pg": "payco", "buyer": BUYER, "return_path": "/return"}

    async def replace() -> CheckoutView:
        checkout = await host.create_checkout(customer, subscription=code)
        shown = await host.view(customer, checkout)
        with pytest.raises(OwedAmountChanged, match="39,600"):
            await host.agree(customer, checkout, **terms, owed=9900)
        param = await host.agree(customer, checkout, **terms, owed=shown.owed)
        window = world.portone.open_window(param)["window"]["window_id"]
        await host.complete(checkout, imp_uid=till.approve(window))
        await host.close()
        return shown

    shown = asyncio.run(replace())
    settle_all(world)
    assert shown.owed == 4 * 9900
    assert world.portone.report().charged_krw == shown.owed
    assert [row.source for row in world.sql("SELECT source FROM consents")] == ["host"]
    world.assert_books_agree()


@pytest.mark.parametrize(("cadence", "periods"), [("day", 22), ("month", 4)])
def test_key_added_by_command_is_charged_what_the_command_showed(world: World, cadence: str, periods: int):
    code = lost_card(world, cadence=cadence, periods=periods)
    sessions = world.runtime.sessions
    said = arrears.owed_by(sessions, code, now=world.now)
    changed = give_key(world, code, owed=said.amount)
    assert (changed.woken, changed.amount) == (said.count, said.amount)
    settle_all(world)
    assert world.portone.report().charged_krw == said.amount
    world.assert_books_agree()


def give_key(world: World, code: str, *, owed: int | None, uid: str = "by-telephone") -> key_change.KeyChanged:
    from worker.subscriptions.billing_keys import NewKey, add_key

    sessions = world.runtime.sessions
    if not world.sql("SELECT FROM billing_keys WHERE customer_uid = :uid", uid=uid):
        world.portone.create_key(uid, pg="payco")
        add_key(sessions, NewKey(customer_uid=uid, pg="payco"), now=world.now)
    return key_change.change_key(sessions, code, uid, reason="by telephone", max_amount=10**6, owed=owed, now=world.now)


def test_sum_that_changed_since_the_page_was_shown_is_refused_and_updated(world: World, till: Till):
    code = lost_card(world, cadence="day", periods=1)
    link = till.link(code)
    shown = till.view(link).owed
    world.wait(days=1)
    world.tick()
    with pytest.raises(OwedAmountChanged, match="19,800"):
        till.agree(link, "payco", owed=shown)
    assert world.sql("SELECT FROM consents") == []
    assert till.view(link).owed == 2 * shown
    till.agree(link, "payco", owed=2 * shown)


def test_command_is_refused_when_another_sum_is_owed_by_then(world: World):
    code = lost_card(world, cadence="day", periods=1)
    world.wait(days=1)
    with pytest.raises(Refused, match="19,800 KRW by now"):
        give_key(world, code, owed=9900)
    assert world.subscription(code).billing_key_id == 1


def test_charge_paid_by_hand_after_the_agreement_is_not_charged_again(world: World, till: Till):
    code = lost_card(world, cadence="day", periods=2)
    link = till.link(code)
    window = till.open(link, "payco")
    by_hand = till.link(charge=world.charges(code)[1].id, pg="kakaopay")
    assert till.complete(by_hand, till.approve(till.open(by_hand))).progress is Progress.DONE
    assert till.complete(link, till.approve(window)).progress is Progress.DONE
    world.tick()
    world.tick()
    assert world.portone.report().charged_krw == 2 * 9900
    world.assert_books_agree()


def test_period_after_the_agreement_is_charged_on_the_agreed_terms(world: World, till: Till):
    world.portone.switch(window_life_seconds=86_400)
    code = lost_card(world, cadence="day", periods=1)
    link = till.link(code)
    said = till.view(link)
    window = till.open(link, "payco")
    assert said.next_charge_at is not None
    world._clock[0] = said.next_charge_at
    world.tick()
    assert till.complete(link, till.approve(window)).progress is Progress.DONE
    world.tick()
    world.tick()
    assert world.portone.report().charged_krw == said.owed + said.amount
    world.assert_books_agree()


def test_consent_is_on_record_with_its_terms_and_each_period(world: World, till: Till):
    code = lost_card(world, cadence="day", periods=2)
    link = till.link(code)
    till.agree(link, "payco", wording="2026-12-ko", owed=19800)
    ((row),) = world.sql("SELECT * FROM consents")
    starts = [charge.period_start for charge in world.charges(code)]
    assert (row.source, row.wording, row.amount, row.cadence) == ("checkout", "2026-12-ko", 9900, "day")
    assert (row.due_now, row.agreed_at, row.next_charge_at) == (19800, world.now, starts[-1] + DAY)
    assert [each["amount"] for each in row.periods] == [9900, 9900]
    with pytest.raises(Exception, match="never changed or deleted"):
        world.sql("UPDATE consents SET due_now = 0")


def test_charge_without_consent_waits_and_stops_nothing_else(world: World, till: Till):
    code = lost_card(world, cadence="day", periods=2)
    link = till.link(code)
    window = till.open(link, "payco")
    # The consent lists the first period only, as after a page with a wrong sum.
    world.sql("ALTER TABLE consents DISABLE TRIGGER consents_are_append_only")
    world.sql("UPDATE consents SET due_now = 9900, periods = periods - 1")
    assert till.complete(link, till.approve(window)).progress is Progress.DONE
    world.live(days=1)
    first, second, third = world.charges(code)
    assert [each.status for each in (first, second, third)] == ["paid", "due", "paid"]
    assert second.awaits_consent_since is not None
    assert world.portone.report().charged_krw == 2 * 9900
    world.assert_books_agree()
    again = till.link(code)
    assert till.view(again).owed == 9900
    replaced(till, again, pg="kakaopay")
    world.tick()
    assert world.portone.report().charged_krw == 3 * 9900
    world.assert_books_agree()
