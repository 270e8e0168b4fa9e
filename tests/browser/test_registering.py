"""Customers register Kakao Pay and PAYCO keys in a browser, and are charged as agreed."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.browser.sizes import BOTH_WAYS, ON_A_DESKTOP, ON_A_PHONE, PGS
from tests.browser.story import charged_in_two_months, subscription
from tests.support.checkout import Shop


@PGS
def test_registered_key_is_charged_for_every_period(visitor: Visitor, shop: Shop, pg: str):
    page = visitor.visit(shop.link(shop.pending()))
    visitor.agree(page, pg=pg)
    visitor.decide(page, "approve")
    visitor.result(page)
    assert subscription(shop) == ("active", "active")
    assert charged_in_two_months(shop) == 3
    assert shop.one("SELECT pg FROM billing_keys") == pg


@ON_A_PHONE
def test_kakaopay_window_takes_the_first_period_once(visitor: Visitor, shop: Shop):
    page = visitor.visit(shop.link(shop.pending(), pg="kakaopay", with_payment=True))
    visitor.agree(page)
    assert "9,900" in visitor.window(page).get_by_test_id("amount").inner_text()
    visitor.decide(page, "approve")
    visitor.result(page)
    assert shop.sql("SELECT status FROM charges") == [("paid",)]
    assert len(shop.paid_on_the_ledger()) == 1
    assert charged_in_two_months(shop) == 3


@ON_A_DESKTOP
def test_payco_window_charges_nothing_and_again_charges_at_once(visitor: Visitor, shop: Shop):
    page = visitor.visit(shop.link(shop.pending(), pg="payco"))
    expect(page.get_by_text("페이코 창에 표시되는 금액은 자동결제를 등록할 때 결제되지 않습니다.")).to_be_visible()
    expect(page.get_by_test_id("first-charge")).to_have_text("오늘 (등록과 함께 결제)")
    visitor.agree(page)
    assert "9,900" in visitor.window(page).get_by_test_id("amount").inner_text()
    visitor.decide(page, "approve")
    visitor.result(page)
    assert shop.paid_on_the_ledger() == []
    shop.tick()
    assert len(shop.paid_on_the_ledger()) == 1


@ON_A_PHONE
def test_payco_registers_on_a_phone_by_redirect_or_callback(visitor: Visitor, shop: Shop):
    shop.sandbox.admin.switch(payco_redirects=True)
    page = visitor.visit(shop.link(shop.pending(), pg="payco"))
    visitor.agree(page)
    visitor.decide(page, "approve")
    visitor.result(page)
    assert subscription(shop) == ("active", "active")
    assert charged_in_two_months(shop) == 3


@BOTH_WAYS
def test_closed_window_changes_nothing_and_can_be_opened_again(visitor: Visitor, shop: Shop, pg: str):
    page = visitor.visit(shop.link(shop.pending(), pg=pg))
    visitor.agree(page)
    visitor.decide(page, "close")
    visitor.refusal(page, "등록되지 않았습니다")
    assert subscription(shop) == ("pending", None)
    visitor.agree(page)
    visitor.decide(page, "approve")
    visitor.result(page)
    assert subscription(shop) == ("active", "active")


@BOTH_WAYS
def test_decline_is_explained_and_can_be_tried_again(visitor: Visitor, shop: Shop, pg: str):
    page = visitor.visit(shop.link(shop.pending(), pg=pg, with_payment=pg == "kakaopay"))
    visitor.agree(page)
    visitor.decide(page, "decline")
    visitor.refusal(page, "한도초과")  # what the PG says, for the customer to act on
    assert subscription(shop)[0] == "pending"
    visitor.agree(page)
    visitor.decide(page, "approve")
    visitor.result(page)
    shop.tick()
    assert len(shop.paid_on_the_ledger()) == 1
