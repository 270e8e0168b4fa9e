"""Stories of those who lie: whatever a browser or a webhook says, nothing is changed by it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from worker.checkout import Progress
from worker.domain.errors import Refused
from worker.sandbox.rules.behaviours import decline


@pytest.fixture
def till(world: World) -> Till:
    return Till(world)


def books(world: World) -> list[Any]:
    """Everything that must not move."""
    return [
        world.sql(f"SELECT id, status FROM {table} ORDER BY id")
        for table in ("subscriptions", "charges", "billing_keys", "checkouts")
    ]


def test_another_subscriptions_payment_is_refused_and_changes_nothing(world: World, till: Till):
    mine, theirs = (till.link(till.pending(customer=name), pg="payco") for name in ("mine", "theirs"))
    till.open(mine)
    imp_uid = till.approve(till.open(theirs))
    before = books(world)
    with pytest.raises(Refused, match="belongs to another order"):
        till.complete(mine, imp_uid)
    assert books(world) == before
    assert till.complete(theirs, imp_uid).progress is Progress.DONE


def test_unknown_payment_completes_nothing(world: World, till: Till):
    code = till.link(till.pending(), pg="payco")
    till.open(code)
    before = books(world)
    assert till.complete(code, "imp_999999999999").progress is Progress.WAITING
    assert books(world) == before


@pytest.mark.parametrize("imp_uid", ["x" * 81, "결제", "a\nb", "../customers", "..", "imp-1", "%2e%2e"])
def test_malformed_payment_id_is_refused(world: World, till: Till, imp_uid: str):
    code = till.link(till.pending(), pg="payco")
    till.open(code)
    with pytest.raises(Refused, match="no payment's id"):
        till.complete(code, imp_uid)


TAMPERED: dict[str, tuple[Mapping[str, Any], str]] = {
    # what is changed in the page; what is said
    "less is paid": ({"amount": 100}, "over 100 KRW, and 9,900 KRW was asked for"),
    "another's key": ({"customer_uid": "anothers-customer-uid"}, "another billing key"),
    "another PG": ({"pg": "payco"}, "over 0 KRW, and 9,900 KRW was asked for"),  # which only shows the amount
}


@pytest.mark.parametrize(("changes", "said"), TAMPERED.values(), ids=TAMPERED.keys())
def test_values_changed_in_the_page_are_not_taken_for_the_order(
    world: World, till: Till, changes: Mapping[str, Any], said: str
):
    subscription = till.pending()
    code = till.link(subscription, pg="kakaopay", with_payment=True)
    imp_uid = till.approve(till.open(code, tampered=changes))
    for _ in range(2):
        with pytest.raises(Refused, match=said):
            till.complete(code, imp_uid)
    assert (till.keys(), till.status(code)) == (["registering"], "opened")
    assert world.subscription(subscription).status == "pending"
    assert [charge.status for charge in world.charges()] == ["charging"]
    world.live(days=2)
    assert world.discrepancies() == [("unresolved", "open")]
    assert world.subscription(subscription).status == "pending"


def test_payment_where_only_a_key_was_asked_for_is_left_to_an_operator(world: World, till: Till):
    code = till.link(till.pending(), pg="kakaopay")
    imp_uid = till.approve(till.open(code, tampered={"amount": 5000}))
    with pytest.raises(Refused, match="5,000 KRW"):
        till.complete(code, imp_uid)
    assert (till.keys(), world.discrepancies()) == (["registering"], [("other_amount", "open")])


def test_overdue_charge_paid_in_part_is_left_to_an_operator(world: World, till: Till):
    world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다"))
    world.tick()
    (charge,) = world.charges()
    code = till.link(charge=charge.id, pg="kakaopay")
    imp_uid = till.approve(till.open(code, tampered={"amount": 100}))
    with pytest.raises(Refused, match="over 100 KRW"):
        till.complete(code, imp_uid)
    world.live(days=10, step=timedelta(days=1))
    assert world.discrepancies() == [("unresolved", "open")]
    assert [charge.status for charge in world.charges()] == ["charging"]
    assert world.portone.report().charges == 1
    with pytest.raises(Refused):
        till.agree(code)


def test_unknown_or_unopened_link_completes_nothing(world: World, till: Till):
    with pytest.raises(Refused, match="leads to nothing"):
        till.complete("0123456789ABC")
    with pytest.raises(Refused, match="No payment window was opened"):
        till.complete(till.link(till.pending()))
    with pytest.raises(Refused, match="Choose how to pay"):
        till.agree(till.link(till.pending(customer="other")))


# --- webhooks ---------------------------------------------------------------------------------------------------------


def test_webhook_is_stored_once_and_counted(world: World, till: Till):
    code = till.link(till.pending(), pg="payco")
    body = till.webhook(till.approve(till.open(code)))
    for _ in range(3):
        till.receive_webhook(body)
    assert [tuple(row) for row in world.sql("SELECT deliveries, outcome_code FROM webhooks")] == [(3, "done")]


def test_webhooks_claims_are_never_believed(world: World, till: Till):
    code = till.link(till.pending(), pg="payco")
    till.open(code)
    (payment,) = world.portone.payments()
    before = books(world)
    till.receive_webhook({"imp_uid": payment["imp_uid"], "merchant_uid": payment["merchant_uid"], "status": "paid"})
    till.receive_webhook({"imp_uid": "imp_000000009999", "merchant_uid": payment["merchant_uid"], "status": "paid"})
    assert books(world) == before
    outcomes = [row.outcome_code for row in world.sql("SELECT outcome_code FROM webhooks ORDER BY id")]
    assert outcomes == ["waiting", "unknown_payment"]


def test_webhook_that_could_not_be_looked_up_is_looked_up_later(world: World, till: Till):
    code = till.link(till.pending(), pg="payco")
    window = till.open(code)
    assert till.complete(code).progress is Progress.WAITING
    body = till.webhook(till.approve(window))
    world.portone.switch(outage="error")
    till.receive_webhook(body)
    assert till.status(code) == "opened"
    world.portone.switch(outage="none")
    world.wait(minutes=3)
    assert till.run_maintenance().webhooks == 1
    assert till.status(code) == "done"
    assert till.run_maintenance().webhooks == 0


def test_overdue_charge_paid_through_another_pg_is_left_to_an_operator(world: World, till: Till):
    world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다"))
    world.tick()
    (charge,) = world.charges()
    code = till.link(charge=charge.id, pg="kakaopay")
    imp_uid = till.approve(till.open(code, tampered={"pg": "payco.PARTNERTEST"}))
    with pytest.raises(Refused, match="through 'payco', and kakaopay was asked for"):
        till.complete(code, imp_uid)
    assert world.discrepancies() == [("unresolved", "open")]


@pytest.mark.parametrize("amount", [None, 3000])
def test_refund_in_the_console_is_noticed_and_recorded(world: World, till: Till, amount: int | None):
    subscription = world.subscribe()
    world.tick()
    (payment,) = world.portone.payments()
    world.portone.cancel_in_console(payment["imp_uid"], amount=amount)
    body = till.webhook(payment["imp_uid"], "cancelled", cancellation_id="c-1")
    till.receive_webhook(body)
    till.receive_webhook(body)
    (charge,) = world.charges(subscription)
    assert (charge.status, charge.refunded) == ("paid", amount or 9900)
    assert world.discrepancies() == [("refunded_there", "repaired")]


def test_refund_of_a_first_payment_is_recorded(world: World, till: Till):
    code = till.link(till.pending(), pg="kakaopay", with_payment=True)
    imp_uid = till.approve(till.open(code))
    till.complete(code, imp_uid)
    world.portone.cancel_in_console(imp_uid)
    till.receive_webhook(till.webhook(imp_uid, "cancelled", cancellation_id="c-1"))
    (charge,) = world.charges()
    assert charge.refunded == 9900


@pytest.mark.parametrize(
    "changes",
    [{"imp_uid": ""}, {"merchant_uid": ""}, {"imp_uid": "x" * 101}, {"status": "paid" * 9}, {"merchant_uid": "a\x00"}],
)
def test_malformed_webhook_is_refused_and_not_stored(world: World, till: Till, changes):
    with pytest.raises(Refused):
        till.receive_webhook({"imp_uid": "imp_1", "merchant_uid": "again1", "status": "paid", **changes})
    assert world.sql("SELECT FROM webhooks") == []
