"""Double clicks, Back, closed tabs, two tabs, and links that were used, expired or altered: one end, as agreed."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.browser.sizes import BOTH_WAYS, ON_A_DESKTOP, ON_A_PHONE
from tests.browser.story import charged_in_two_months, subscription
from tests.support.checkout import Shop


@ON_A_PHONE
def test_back_button_from_the_window_leads_to_a_working_form(visitor: Visitor, shop: Shop):
    page = visitor.visit(shop.link(shop.pending(), pg="kakaopay", with_payment=True))
    visitor.agree(page)
    visitor.window(page)
    page.go_back()
    expect(page.locator("#go")).to_be_enabled()
    visitor.agree(page)
    visitor.decide(page, "approve")
    visitor.result(page)
    assert len(shop.paid_on_the_ledger()) == 1


@BOTH_WAYS
def test_back_button_after_the_end_shows_the_end(visitor: Visitor, shop: Shop, pg: str):
    path = shop.link(shop.pending(), pg=pg)
    page = visitor.visit(f"{path}?lang=en")
    page.goto(f"{shop.pages.url}{path}?lang=ko")
    visitor.agree(page)
    visitor.decide(page, "approve")
    visitor.result(page)
    page.go_back()
    if visitor.is_phone:  # there the payment window is a page of its own, and says that it has ended
        page.get_by_test_id("go-on").click()
    visitor.result(page)
    assert page.locator("html").get_attribute("lang") == ("ko" if visitor.is_phone else "en")
    assert subscription(shop) == ("active", "active")


@BOTH_WAYS
def test_double_click_opens_one_window(visitor: Visitor, shop: Shop, pg: str):
    page = visitor.visit(shop.link(shop.pending(), pg=pg, with_payment=pg == "kakaopay"))
    visitor.fill_in(page)
    page.locator("#go").dblclick()
    visitor.decide(page, "approve")
    visitor.result(page)
    shop.tick()
    assert shop.one("SELECT windows FROM checkouts") == 1
    assert len(shop.paid_on_the_ledger()) == 1


@BOTH_WAYS
def test_tab_closed_after_approval_is_completed_by_the_webhook(visitor: Visitor, shop: Shop, pg: str):
    shop.sandbox.admin.switch(window_reports=False)
    path = shop.link(shop.pending(), pg=pg, with_payment=pg == "kakaopay")
    page = visitor.visit(path)
    visitor.agree(page)
    visitor.decide(page, "approve")
    expect(visitor.window(page).get_by_test_id("status")).not_to_be_empty()
    page.close()
    shop.until(lambda: shop.sql("SELECT status FROM checkouts") == [("done",)], "the webhook finished nothing")
    visitor.result(visitor.visit(path))
    assert charged_in_two_months(shop) == 3


@ON_A_DESKTOP
def test_customer_who_returns_finds_the_end_without_a_webhook(visitor: Visitor, shop: Shop):
    shop.sandbox.admin.switch(window_reports=False, webhook_delay_seconds=3600)
    path = shop.link(shop.pending(), pg="kakaopay", with_payment=True)
    page = visitor.visit(path)
    visitor.agree(page)
    visitor.decide(page, "approve")
    expect(visitor.window(page).get_by_test_id("status")).not_to_be_empty()
    page.close()
    visitor.result(visitor.visit(path))
    assert charged_in_two_months(shop) == 3


@ON_A_DESKTOP
def test_two_tabs_pay_once(visitor: Visitor, shop: Shop):
    path = shop.link(shop.pending(), pg="kakaopay", with_payment=True)
    first, second = visitor.visit(path), visitor.visit(path)
    for page in (first, second):
        page.bring_to_front()
        visitor.agree(page)
        expect(visitor.window(page).get_by_test_id("approve")).to_be_visible()
    for page in (first, second):
        page.bring_to_front()
        visitor.decide(page, "approve")
        visitor.result(page)
    assert len(shop.paid_on_the_ledger()) == 1
    assert charged_in_two_months(shop) == 3


@ON_A_DESKTOP
def test_used_link_says_so_and_opens_nothing(visitor: Visitor, shop: Shop):
    path = shop.link(shop.pending(), pg="payco")
    page = visitor.visit(path)
    visitor.agree(page)
    visitor.decide(page, "approve")
    visitor.result(page)
    again = visitor.visit(path)
    visitor.result(again)
    assert again.locator("form").count() == 0
    assert shop.one("SELECT windows FROM checkouts") == 1


@ON_A_PHONE
def test_expired_link_says_so_and_opens_nothing(visitor: Visitor, shop: Shop):
    path = shop.link(shop.pending(), pg="payco")
    left_open = visitor.visit(path)
    shop.wait(days=4)
    page = visitor.visit(path)
    visitor.expect("410")
    expect(page.get_by_role("heading", level=1)).to_have_text("링크가 만료되었습니다")
    visitor.agree(left_open)  # a page that was open all the time gets no further
    visitor.result(left_open, "expired")
    visitor.expect("409", "410")
    assert shop.sql("SELECT agreed_at FROM checkouts") == [(None,)]


@ON_A_PHONE
def test_altered_link_says_so(visitor: Visitor, shop: Shop):
    page = visitor.visit(shop.link(shop.pending())[:-1])
    visitor.expect("404")
    expect(page.get_by_role("heading", level=1)).to_have_text("사용할 수 없는 링크입니다")
