"""Customers pay an overdue charge by hand, and replace a card that is no longer charged."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.browser.sizes import BOTH_WAYS, ON_A_DESKTOP, ON_A_PHONE
from tests.browser.story import LOST, overdue
from tests.support.checkout import Shop
from worker.domain.states import CheckoutPurpose
from worker.sandbox.rules.behaviours import Behaviour


def customer_uids(shop: Shop) -> set[str]:
    """The keys that PortOne has."""
    listed = shop.sandbox.admin.keys()
    return {each["customer_uid"] for each in listed}


@BOTH_WAYS
def test_overdue_charge_is_paid_by_hand_and_dunning_stops(visitor: Visitor, shop: Shop, pg: str):
    _, charge = overdue(shop)
    page = visitor.visit(shop.link(charge=charge, pg=pg))
    expect(page.get_by_role("heading", level=1)).to_have_text("미납 요금 결제")
    expect(page.get_by_test_id("period")).to_have_text("2026년 11월 23일 (월) ~ 2026년 12월 22일 (화)")
    visitor.agree(page)
    visitor.decide(page, "approve")
    visitor.result(page)
    assert shop.sql("SELECT status FROM charges") == [("paid",)]
    shop.wait(days=7)
    shop.tick()
    assert len(shop.paid_on_the_ledger()) == 1


@BOTH_WAYS
def test_overdue_charge_can_be_paid_after_a_declined_or_closed_window(visitor: Visitor, shop: Shop, pg: str):
    _, charge = overdue(shop)
    page = visitor.visit(shop.link(charge=charge, pg=pg))
    for decision, said in (("decline", "한도초과"), ("close", "완료되지 않았습니다")):
        visitor.agree(page)
        visitor.decide(page, decision)
        visitor.refusal(page, said)
        assert shop.paid_on_the_ledger() == []
    visitor.agree(page)
    visitor.decide(page, "approve")
    visitor.result(page)
    assert shop.sql("SELECT status FROM charges") == [("paid",)]
    assert len(shop.paid_on_the_ledger()) == 1


@ON_A_DESKTOP
def test_pump_leaves_a_charge_with_an_open_window_alone(visitor: Visitor, shop: Shop):
    _, charge = overdue(shop)
    shop.sandbox.admin.behave(Behaviour())  # from now on the card would pay
    page = visitor.visit(shop.link(charge=charge, pg="kakaopay"))
    visitor.agree(page)
    expect(visitor.window(page).get_by_test_id("approve")).to_be_visible()
    shop.wait(hours=6)
    shop.tick()
    assert shop.paid_on_the_ledger() == []
    page.close()  # abandoned: looked up, proved unpaid, and then dunning goes on
    for _ in range(8):
        shop.wait(days=1)
        shop.tick()
    assert shop.sql("SELECT status FROM charges WHERE id = :id", id=charge) == [("paid",)]
    assert len(shop.paid_on_the_ledger()) == 1


@BOTH_WAYS
def test_replaced_card_is_charged_what_is_owed_and_the_old_key_deleted(visitor: Visitor, shop: Shop, pg: str):
    code, charge = overdue(shop, LOST)
    old = shop.sandbox.admin.keys()[0]["customer_uid"]
    page = visitor.visit(shop.link(code, purpose=CheckoutPurpose.REPLACE, pg=pg))
    expect(page.get_by_text("미납 요금 9,900원이 새 결제 수단으로 바로 결제됩니다.")).to_be_visible()
    visitor.agree(page)
    assert old in customer_uids(shop)
    visitor.decide(page, "approve")
    visitor.result(page)
    shop.tick()
    assert shop.sql("SELECT status FROM charges WHERE id = :id", id=charge) == [("paid",)]
    keys = customer_uids(shop)
    assert len(keys) == 1
    assert old not in keys


@BOTH_WAYS
def test_card_replaced_after_three_periods_is_charged_the_sum_on_the_page(visitor: Visitor, shop: Shop, pg: str):
    code, _ = overdue(shop, LOST)
    for _ in range(4):  # three are open then; the plan allows no more
        shop.wait(days=31)
        shop.tick()
    page = visitor.visit(shop.link(code, purpose=CheckoutPurpose.REPLACE, pg=pg))
    expect(page.get_by_test_id("owed")).to_have_text("29,700원 (3회분)")
    expect(page.get_by_test_id("consent-text")).to_contain_text("미납 요금 29,700원과")
    visitor.agree(page)
    visitor.decide(page, "approve")
    visitor.result(page)
    for _ in range(4):
        shop.tick()
        shop.wait(minutes=1)
    assert len(shop.paid_on_the_ledger()) == 3
    assert shop.sandbox.admin.report().charged_krw == 29700


@ON_A_DESKTOP
def test_page_that_shows_an_older_sum_is_shown_again_before_anything_opens(visitor: Visitor, shop: Shop):
    visitor.expect("409")
    code, _ = overdue(shop, LOST, cadence="day")
    page = visitor.visit(shop.link(code, purpose=CheckoutPurpose.REPLACE, pg="payco"))
    expect(page.get_by_test_id("owed")).to_have_text("9,900원 (1회분)")
    shop.wait(days=1)
    shop.tick()
    visitor.agree(page)
    visitor.refusal(page, "안내 내용이 바뀌었습니다")
    assert shop.sql("SELECT FROM consents") == []
    page.reload()
    expect(page.get_by_test_id("owed")).to_have_text("19,800원 (2회분)")


@ON_A_PHONE
def test_abandoned_replacement_leaves_the_old_card(visitor: Visitor, shop: Shop):
    code, _ = overdue(shop)
    page = visitor.visit(shop.link(code, purpose=CheckoutPurpose.REPLACE, pg="payco"))
    visitor.agree(page)
    visitor.decide(page, "close")
    visitor.refusal(page, "등록되지 않았습니다")
    shop.sandbox.admin.behave(Behaviour())
    shop.wait(days=3)
    shop.tick()
    assert len(shop.paid_on_the_ledger()) == 1
