"""Customers register Kakao Pay and PAYCO keys in a browser, and are charged as agreed; once, whatever they do."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.fixtures.checkout import Shop

PGS = pytest.mark.parametrize("pg", ["kakaopay", "payco"])
ON_A_PHONE = pytest.mark.parametrize("visitor", ["phone"], indirect=True)
ON_A_DESKTOP = pytest.mark.parametrize("visitor", ["desktop"], indirect=True)


def subscription(shop: Shop) -> tuple[str, str | None]:
    """The one subscription's status, and that of its newest key."""
    ((status, key_status),) = shop.sql("""
        SELECT s.status, k.status FROM subscriptions s LEFT JOIN billing_keys k ON k.id = s.billing_key_id""")
    return status, key_status


def charged_in_two_months(shop: Shop) -> int:
    """Let two periods pass, and count what the sandbox's ledger says was paid for them."""
    for _ in range(2):
        shop.tick()
        shop.wait(days=31)
    shop.tick()
    return len(shop.paid_on_the_ledger())


@PGS
def test_a_key_is_registered_and_every_period_is_charged_to_it(visitor: Visitor, shop: Shop, pg: str):
    page = visitor.visit(shop.link(shop.pending()))
    visitor.agree(page, pg=pg)
    visitor.decide(page, "approve")
    visitor.result(page)
    assert subscription(shop) == ("active", "active")
    assert charged_in_two_months(shop) == 3
    assert shop.one("SELECT pg FROM billing_keys") == pg


def test_kakao_pay_takes_the_first_period_in_its_window_and_nothing_takes_it_again(visitor: Visitor, shop: Shop):
    page = visitor.visit(shop.link(shop.pending(), pg="kakaopay", with_payment=True))
    visitor.agree(page)
    assert "9,900" in visitor.window(page).get_by_test_id("amount").inner_text()
    visitor.decide(page, "approve")
    visitor.result(page)
    assert shop.sql("SELECT status FROM charges") == [("paid",)]
    assert len(shop.paid_on_the_ledger()) == 1
    assert charged_in_two_months(shop) == 3


@ON_A_DESKTOP
def test_payco_shows_the_amount_charges_nothing_in_its_window_and_again_charges_it_at_once(
    visitor: Visitor, shop: Shop
):
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


@PGS
def test_a_window_that_was_closed_changes_nothing_and_may_be_opened_again(visitor: Visitor, shop: Shop, pg: str):
    page = visitor.visit(shop.link(shop.pending(), pg=pg))
    visitor.agree(page)
    visitor.decide(page, "close")
    assert "완료되지 않았습니다" in visitor.refusal(page)
    assert subscription(shop) == ("pending", None)
    visitor.agree(page)
    visitor.decide(page, "approve")
    visitor.result(page)
    assert subscription(shop) == ("active", "active")


def test_a_declined_first_payment_is_explained_and_may_be_tried_again(visitor: Visitor, shop: Shop):
    page = visitor.visit(shop.link(shop.pending(), pg="kakaopay", with_payment=True))
    visitor.agree(page)
    visitor.decide(page, "decline")
    assert "한도초과" in visitor.refusal(page)  # what the PG says, for the customer to act on
    visitor.agree(page)
    visitor.decide(page, "approve")
    visitor.result(page)
    assert charged_in_two_months(shop) == 3


def test_a_double_click_opens_one_window(visitor: Visitor, shop: Shop):
    page = visitor.visit(shop.link(shop.pending(), pg="kakaopay", with_payment=True))
    page.locator("#consent").check()
    page.locator("#go").dblclick()
    visitor.decide(page, "approve")
    visitor.result(page)
    assert shop.one("SELECT windows FROM checkouts") == 1
    assert charged_in_two_months(shop) == 3


@ON_A_PHONE
def test_back_from_the_payment_window_leads_to_a_form_that_works(visitor: Visitor, shop: Shop):
    page = visitor.visit(shop.link(shop.pending(), pg="kakaopay", with_payment=True))
    visitor.agree(page)
    visitor.window(page)
    page.go_back()
    expect(page.locator("#go")).to_be_enabled()
    visitor.agree(page)
    visitor.decide(page, "approve")
    visitor.result(page)
    assert len(shop.paid_on_the_ledger()) == 1


def test_back_after_the_end_shows_the_end(visitor: Visitor, shop: Shop):
    path = shop.link(shop.pending(), pg="kakaopay")
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


def test_a_tab_closed_right_after_paying_is_finished_by_the_webhook(visitor: Visitor, shop: Shop):
    shop.sandbox.admin.switch(window_reports=False)
    path = shop.link(shop.pending(), pg="kakaopay", with_payment=True)
    page = visitor.visit(path)
    visitor.agree(page)
    visitor.decide(page, "approve")
    expect(visitor.window(page).get_by_test_id("status")).not_to_be_empty()
    page.close()
    shop.until(lambda: shop.sql("SELECT status FROM checkouts") == [("done",)], "the webhook finished nothing")
    visitor.result(visitor.visit(path))
    assert charged_in_two_months(shop) == 3


@ON_A_DESKTOP
def test_whoever_comes_back_finds_the_end_even_if_no_webhook_came(visitor: Visitor, shop: Shop):
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
def test_an_amount_changed_in_the_page_is_not_taken_for_the_payment(visitor: Visitor, shop: Shop):
    page = visitor.visit(shop.link(shop.pending(), pg="kakaopay", with_payment=True))
    page.evaluate("""() => {
        const honest = window.IMP.request_pay;
        window.IMP.request_pay = (param, callback) => honest({ ...param, amount: 100 }, callback);
    }""")
    visitor.agree(page)
    visitor.decide(page, "approve")
    assert "다시 결제하지 마세요" in visitor.refusal(page)
    visitor.expect("409")
    assert subscription(shop) == ("pending", None)
    assert shop.sql("SELECT status, flagged_at IS NOT NULL FROM attempts") == [("unknown", True)]


@ON_A_DESKTOP
def test_a_link_that_was_used_says_so_and_opens_nothing(visitor: Visitor, shop: Shop):
    path = shop.link(shop.pending(), pg="payco")
    page = visitor.visit(path)
    visitor.agree(page)
    visitor.decide(page, "approve")
    visitor.result(page)
    again = visitor.visit(path)
    visitor.result(again)
    assert again.locator("form").count() == 0
    assert shop.one("SELECT windows FROM checkouts") == 1


def test_an_expired_link_says_so_and_opens_nothing(visitor: Visitor, shop: Shop):
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
def test_a_link_that_was_bent_says_so(visitor: Visitor, shop: Shop):
    page = visitor.visit(shop.link(shop.pending())[:-1])
    visitor.expect("404")
    expect(page.get_by_role("heading", level=1)).to_have_text("사용할 수 없는 링크입니다")


@ON_A_DESKTOP
def test_scripts_in_names_are_shown_and_not_run(visitor: Visitor, shop: Shop):
    name = "<img src=x onerror=alert(1)>"
    page = visitor.page()
    page.on("dialog", lambda dialog: visitor.complaints.append(dialog.message))
    page.goto(shop.pages.url + shop.link(shop.pending(name=name), pg="kakaopay"))
    expect(page.locator("#plan-name")).to_have_text(name)
    visitor.agree(page)
    visitor.decide(page, "approve")
    visitor.result(page)
    expect(page.get_by_test_id("plan")).to_have_text(name)


@ON_A_DESKTOP
def test_the_keyboard_alone_is_enough(visitor: Visitor, shop: Shop):
    page = visitor.visit(shop.link(shop.pending()))
    focused = "document.activeElement.id || document.activeElement.value"
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(focused))
        if reached[-1] == "go":
            break
    assert reached[1:] == ["kakaopay", "consent", "go"]  # the language's link first
    page.keyboard.press("Enter")
    expect(page.locator("#say")).to_have_text("내용을 확인하고 동의에 체크해 주세요.")
    assert page.evaluate(focused) == "consent"  # where the mistake is
    expect(page.locator("#consent")).to_have_attribute("aria-invalid", "true")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    window = visitor.window(page)
    expect(window.get_by_test_id("approve")).to_be_visible()
    page.keyboard.press("Tab")
    window.get_by_test_id("approve").press("Enter")
    visitor.result(page)


@ON_A_PHONE
def test_the_language_is_the_browsers_and_can_be_changed(visitor: Visitor, shop: Shop):
    page = visitor.visit(shop.link(shop.pending(), pg="kakaopay"))
    expect(page.locator("html")).to_have_attribute("lang", "ko")
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Set up automatic payment")
    visitor.agree(page)
    visitor.decide(page, "approve")
    expect(page.get_by_role("heading", level=1)).to_have_text("You are all set")
    assert shop.one("SELECT wording FROM checkouts").endswith("-en")
