"""Stories of the first billing key: however its window's outcome arrives, the subscription begins once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from tests.support import acts
from worker import checkout, process
from worker.checkout import Progress
from worker.domain.errors import Refused
from worker.domain.gateway import Gateway
from worker.domain.merchant_uid import parse
from worker.domain.states import CheckoutPurpose, CheckoutStatus, SubscriptionStatus
from worker.subscriptions import key_change


@pytest.fixture
def till(world: World) -> Till:
    return Till(world)


def callback(till: Till, code: str, imp_uid: str) -> None:
    assert till.complete(code, imp_uid).progress is Progress.DONE


def webhook(till: Till, code: str, imp_uid: str) -> None:
    till.receive_webhook(till.webhook(imp_uid))


def closed_tab(till: Till, code: str, imp_uid: str) -> None:
    till.world.wait(minutes=2)
    till.world.tick()


ORDERS: dict[str, tuple[Callable[[Till, str, str], None], ...]] = {
    "callback, then webhook": (callback, webhook),
    "webhook, then callback": (webhook, callback),
    "neither: the tab was closed": (closed_tab,),
    "everything twice": (callback, webhook, callback, webhook, closed_tab),
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())
def test_kakaopay_initial_payment_pays_the_first_period_once(world: World, till: Till, order):
    subscription = till.pending()
    code = till.link(subscription, pg="kakaopay", with_payment=True)
    imp_uid = till.approve(till.open(code))
    for step in order:
        step(till, code, imp_uid)
    (charge,) = world.charges(subscription)
    (attempt,) = world.attempts()
    assert (charge.status, attempt.status, attempt.via, attempt.imp_uid) == ("paid", "paid", "window", imp_uid)
    begun = world.subscription(subscription)
    assert (begun.status, begun.next_charge_at) == (SubscriptionStatus.ACTIVE, charge.period_end)
    assert (till.status(code), till.keys()) == ("done", ["active"])
    world.tick()
    assert world.portone.report().charges == 1
    world.assert_books_agree()
    world.live(days=31, step=timedelta(days=1))
    assert [charge.status for charge in world.charges(subscription)] == ["paid", "paid"]
    world.assert_books_agree()


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())
@pytest.mark.parametrize("pg", ["kakaopay", "payco"])
def test_key_alone_is_registered_and_the_first_period_charged_at_once(world: World, till: Till, pg: str, order):
    subscription = till.pending()
    code = till.link(subscription, pg=pg)
    imp_uid = till.approve(till.open(code))
    for step in order:
        step(till, code, imp_uid)
    world.tick()
    (charge,) = world.charges(subscription)
    assert charge.status == "paid"
    assert [attempt.via for attempt in world.attempts()] == ["again"]
    assert (till.status(code), till.keys()) == ("done", ["active"])
    world.assert_books_agree()


def test_first_charge_does_not_wait_for_the_plans_hour(world: World, till: Till):
    world.wait(hours=20)  # 08:00 in Seoul, two hours before the plan's hour
    subscription = till.pending()
    code = till.link(subscription, pg="payco")
    assert till.view(code).charges_now
    callback(till, code, till.approve(till.open(code)))
    world.tick()
    assert [charge.status for charge in world.charges(subscription)] == ["paid"]
    world.assert_books_agree()


def test_trial_registers_the_key_and_charges_nothing_before_its_end(world: World, till: Till):
    subscription = till.pending("trial", trial_days="14")
    with pytest.raises(Refused, match=r"Nothing of subscription .* is due today"):
        till.link(subscription, pg="kakaopay", with_payment=True)
    world.wait(days=3)  # a late registration has its whole trial too
    code = till.link(subscription, pg="kakaopay")
    assert (till.view(code).charges_now, till.view(code).first_charge_at) == (
        False,
        world.now.replace(hour=1) + timedelta(days=14),
    )
    callback(till, code, till.approve(till.open(code)))
    assert world.subscription(subscription).status is SubscriptionStatus.TRIALING
    world.live(days=13, step=timedelta(days=1))
    assert world.charges(subscription) == []
    world.live(days=2)
    assert [charge.status for charge in world.charges(subscription)] == ["paid"]
    world.assert_books_agree()


def test_late_registration_is_charged_from_its_day_on(world: World, till: Till):
    subscription = till.pending()
    world.wait(days=10)
    code = till.link(subscription, pg="kakaopay", with_payment=True)
    callback(till, code, till.approve(till.open(code)))
    (charge,) = world.charges(subscription)
    assert world.now - charge.period_start < timedelta(days=1)
    world.assert_books_agree()


def test_window_left_one_day_and_another_paid_a_week_later_cost_one_period(world: World, till: Till):
    subscription = till.pending()
    till.open(till.link(subscription, pg="kakaopay", with_payment=True))
    world.live(days=5, step=timedelta(hours=12))
    assert [charge.status for charge in world.charges(subscription)] == ["due"]
    code = till.link(subscription, pg="kakaopay", with_payment=True)
    callback(till, code, till.approve(till.open(code)))
    assert [charge.status for charge in world.charges(subscription)] == ["void", "paid"]
    world.live(days=5, step=timedelta(hours=12))
    world.assert_books_agree()


@pytest.mark.parametrize(("with_payment", "second_ends"), [(True, "declined"), (False, "approved")])
def test_tabs_of_one_link_pay_once_or_register_one_key(world: World, till: Till, with_payment: bool, second_ends: str):
    code = till.link(till.pending(), pg="kakaopay", with_payment=with_payment)
    first, second = till.open(code), till.open(code)
    imp_uid = till.approve(first)
    assert world.portone.decide(second)["state"] == second_ends
    callback(till, code, imp_uid)
    callback(till, code, imp_uid)
    world.tick()
    assert (world.portone.report().charges, till.keys()) == (1, ["active"])
    world.assert_books_agree()


def test_links_of_one_first_payment_share_one_order(world: World, till: Till):
    subscription = till.pending()
    links = [till.link(subscription, pg="kakaopay", with_payment=True) for _ in range(2)]
    windows = [till.open(link) for link in links]
    imp_uid = till.approve(windows[0])
    assert world.portone.decide(windows[1])["state"] == "declined"
    till.receive_webhook(till.webhook(imp_uid))
    assert [till.status(link) for link in links] == ["done", "done"]
    world.tick()
    assert (world.portone.report().charges, till.keys()) == (1, ["active"])
    world.assert_books_agree()


def test_decline_in_the_window_ends_nothing_and_the_customer_may_try_again(world: World, till: Till):
    subscription = till.pending()
    code = till.link(subscription, pg="kakaopay", with_payment=True)
    assert world.portone.decide(till.open(code), "decline", reason="balance")["state"] == "declined"
    completion = till.complete(code)
    assert (completion.progress, completion.message) == (Progress.DECLINED, "[LACK_BALANCE]잔액부족")
    assert till.view(code).decline_message == "[LACK_BALANCE]잔액부족"
    assert world.subscription(subscription).status is SubscriptionStatus.PENDING
    callback(till, code, till.approve(till.open(code)))
    assert [charge.status for charge in world.charges(subscription)] == ["paid"]
    world.assert_books_agree()


def test_customer_who_changes_the_pg_registers_with_the_second(world: World, till: Till):
    subscription = till.pending()
    code = till.link(subscription)
    assert set(till.view(code).pgs) == {"kakaopay", "payco"}
    world.portone.decide(till.open(code, "kakaopay"), "close")
    callback(till, code, till.approve(till.open(code, "payco")))
    world.tick()
    assert [row.pg for row in world.sql("SELECT pg FROM billing_keys WHERE status = 'active'")] == ["payco"]
    world.assert_books_agree()


def test_window_that_only_registers_is_no_periods_payment(world: World, till: Till):
    parameters = till.agree(till.link(till.pending(), pg="payco"))
    assert parse(parameters["merchant_uid"]) is None
    assert parameters["amount"] == 9900  # shown
    assert till.agree(till.link(till.pending(customer="other"), pg="kakaopay"))["amount"] == 0


def test_consent_is_kept_with_time_and_wording_and_without_the_buyer(world: World, till: Till):
    code = till.link(till.pending(), pg="payco")
    till.agree(code, wording="ko-2026-01")
    ((agreed_at, wording),) = world.sql("SELECT agreed_at, wording FROM checkouts")
    assert (agreed_at, wording) == (world.now, "ko-2026-01")
    kept = str(world.sql("SELECT checkouts, billing_keys, audit FROM checkouts, billing_keys, audit"))
    assert "Gildong" not in kept
    assert "010-1234" not in kept


def test_new_key_of_a_canceled_subscription_is_deleted_at_portone(world: World, till: Till):
    subscription = till.pending()
    code = till.link(subscription, pg="payco")
    window = till.open(code)
    acts.cancel(world.runtime.sessions, subscription, reason="changed their mind", now=world.now)
    callback(till, code, till.approve(window))
    till.run_maintenance()
    assert (till.keys(), till.keys_at_portone()) == (["deleted"], set())
    assert world.subscription(subscription).status is SubscriptionStatus.CANCELED


def test_useless_link_is_refused_with_a_sentence(world: World, till: Till):
    running = world.subscribe()
    with pytest.raises(Refused, match="it has had its first billing key"):
        till.link(running, purpose=CheckoutPurpose.REGISTER)
    with pytest.raises(Refused, match="There is no subscription"):
        till.link("0123456789ABC")
    with pytest.raises(Refused, match="PAYCO charges nothing in that window"):
        till.link(till.pending(), pg="payco", with_payment=True)
    with pytest.raises(Refused, match="no channel"):
        till.link(running, pg="naverpay")


def test_expired_or_used_link_opens_no_window(world: World, till: Till):
    code = till.link(till.pending(), pg="payco")
    world.wait(days=3)
    with pytest.raises(Refused, match="expired"):
        till.agree(code)
    till.run_maintenance()
    assert till.view(code).status is CheckoutStatus.EXPIRED
    used = till.link(till.pending(customer="other"), pg="payco")
    callback(till, used, till.approve(till.open(used)))
    with pytest.raises(Refused, match="done already"):
        till.agree(used)


def test_callback_and_webhook_at_the_same_moment_are_fulfilled_once(world: World, till: Till):
    subscription = till.pending()
    code = till.link(subscription, pg="kakaopay", with_payment=True)
    imp_uid = till.approve(till.open(code))
    event = checkout.WebhookEvent(**till.webhook(imp_uid))

    async def all_at_once(gateway: Gateway) -> None:
        context = world.runtime.checkout_context(gateway)
        await asyncio.gather(
            *(checkout.complete(context, code, imp_uid=imp_uid) for _ in range(3)),
            *(checkout.receive_webhook(context, event) for _ in range(3)),
        )

    process.current().run(all_at_once)
    ((begun,),) = world.sql("SELECT count(*) FROM audit WHERE entity = 'subscription' AND to_status = 'active'")
    assert (begun, till.status(code), till.keys()) == (1, "done", ["active"])
    assert [charge.status for charge in world.charges(subscription)] == ["paid"]
    world.assert_books_agree()


def test_key_added_by_an_operator_starts_a_pending_subscription(world: World, till: Till):
    subscription = till.pending()
    world.subscribe()
    changed = key_change.change_key(
        world.runtime.sessions,
        subscription,
        "key-1",
        reason="by hand",
        allow_duplicates=True,
        max_amount=2_000_000,
        now=world.now,
    )
    world.tick()
    assert world.subscription(subscription).status == SubscriptionStatus.ACTIVE
    assert [(charge.status, charge.amount) for charge in world.charges(subscription)] == [("paid", changed.amount)]
    world.assert_books_agree()


def test_consents_are_all_kept_and_the_last_one_counts(world: World, till: Till):
    code = till.link(till.pending())
    for wording in ("ko-1", "ko-2", "en-2"):
        till.agree(code, "kakaopay", wording=wording)
        world.wait(minutes=5)
    said = [row.reason for row in world.sql("SELECT reason FROM audit WHERE to_status = 'opened' ORDER BY at, id")]
    assert [reason.split()[3].rstrip(";") for reason in said] == ["ko-1", "ko-2", "en-2"]


def test_pending_subscription_waits_and_is_not_billed(world: World, till: Till):
    subscription = till.pending()
    world.live(days=40, step=timedelta(days=1))
    assert world.charges(subscription) == []
    assert world.subscription(subscription).status is SubscriptionStatus.PENDING
    with pytest.raises(Refused, match="has a running subscription"):
        till.pending()


def test_second_link_to_the_first_key_does_not_keep_its_key(world: World, till: Till):
    subscription = till.pending()
    first, second = till.link(subscription, pg="payco"), till.link(subscription, pg="kakaopay")
    windows = till.open(first), till.open(second)
    callback(till, first, till.approve(windows[0]))
    callback(till, second, till.approve(windows[1]))
    till.run_maintenance()
    assert (till.keys(), len(till.keys_at_portone())) == (["active", "deleted"], 1)
    world.tick()
    assert [charge.status for charge in world.charges(subscription)] == ["paid"]
    world.assert_books_agree()


@pytest.mark.parametrize("first", ["callback", "webhook"])
def test_payment_that_look_ups_show_late_is_found_later(world: World, till: Till, first: str):
    world.portone.switch(lookup_delay_seconds=90)
    subscription = till.pending()
    code = till.link(subscription, pg="kakaopay", with_payment=True)
    imp_uid = till.approve(till.open(code))
    if first == "webhook":
        till.receive_webhook(till.webhook(imp_uid))
    assert till.complete(code, imp_uid).progress is Progress.WAITING
    world.wait(minutes=2, seconds=1)
    world.tick()
    assert (till.status(code), till.keys()) == ("done", ["active"])
    assert {row.outcome_code for row in world.sql("SELECT outcome_code FROM webhooks")} <= {"done"}
    world.assert_books_agree()


@pytest.mark.parametrize("told", ["webhook", "nobody"])
def test_first_payment_hours_after_its_lease_starts_the_subscription(world: World, till: Till, told: str):
    world.portone.switch(window_life_seconds=86_400)
    subscription = till.pending()
    code = till.link(subscription, pg="kakaopay", with_payment=True)
    window = till.open(code)
    for _ in range(6):
        world.wait(minutes=35)
        world.tick()
    assert [attempt.status for attempt in world.attempts()] == ["unknown"]
    imp_uid = till.approve(window)
    if told == "webhook":
        till.receive_webhook(till.webhook(imp_uid))
    world.live(days=2, step=timedelta(hours=2))
    assert [charge.status for charge in world.charges(subscription)] == ["paid"]
    assert (world.subscription(subscription).status, till.status(code)) == (SubscriptionStatus.ACTIVE, "done")
    world.assert_books_agree()


@pytest.mark.parametrize("pg", ["payco", "kakaopay"])
def test_windows_that_register_a_key_alone_have_own_merchant_uids(world: World, pg: str):
    world.portone.switch(repeated_window="refuse")
    till = Till(world)
    code = till.link(till.pending(), pg=pg)
    first, second = till.open(code), till.open(code)
    world.portone.decide(first, "decline")
    third = till.open(code)
    orders = world.sql("SELECT DISTINCT merchant_uid, billing_key_id FROM window_orders")
    assert (len({row.merchant_uid for row in orders}), len({row.billing_key_id for row in orders})) == (3, 1)
    assert till.complete(code).progress is Progress.WAITING
    imp_uid = till.approve(second)  # in the tab before the last
    assert till.complete(code).progress is Progress.DONE
    assert (till.keys(), len(till.keys_at_portone())) == (["active"], 1)
    till.approve(third)
    till.receive_webhook(till.webhook(imp_uid))
    assert till.complete(code).progress is Progress.DONE
    world.tick()
    assert world.statuses() == {"paid": 1}
    world.live(days=3)
    assert (till.keys(), len(till.keys_at_portone())) == (["active"], 1)
    world.assert_books_agree()
