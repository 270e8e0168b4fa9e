"""Changes in the page, and errors behind it, move no money and show no other customer's data."""

from __future__ import annotations

from playwright.sync_api import Route, expect

from tests.browser.conftest import Visitor
from tests.browser.sizes import BOTH_WAYS, ON_A_DESKTOP, ON_A_PHONE
from tests.browser.story import ask_for_another_amount, overdue, subscription
from tests.support.checkout import Shop
from worker.domain.merchant_uid import parse


@ON_A_DESKTOP
def test_amount_changed_in_the_page_is_no_payment(visitor: Visitor, shop: Shop):
    page = visitor.visit(shop.link(shop.pending(), pg="kakaopay", with_payment=True))
    ask_for_another_amount(page)
    visitor.agree(page)
    visitor.decide(page, "approve")
    visitor.refusal(page, "다시 결제하지 마세요")
    visitor.expect("409")
    assert subscription(shop) == ("pending", None)
    assert shop.sql("SELECT status, flagged_at IS NOT NULL FROM attempts") == [("unknown", True)]


@ON_A_DESKTOP
def test_amount_changed_in_paycos_window_is_shown_and_not_charged(visitor: Visitor, shop: Shop):
    page = visitor.visit(shop.link(shop.pending(), pg="payco"))
    ask_for_another_amount(page)
    visitor.agree(page)
    visitor.decide(page, "approve")
    visitor.result(page)
    shop.tick()
    charged = [each["amount"] for each in shop.sandbox.admin.payments() if parse(each["merchant_uid"])]
    assert charged == [9900]


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


@BOTH_WAYS
def test_wrong_amount_settles_nothing(visitor: Visitor, shop: Shop, pg: str):
    _, charge = overdue(shop)
    page = visitor.visit(shop.link(charge=charge, pg=pg))
    ask_for_another_amount(page)
    visitor.agree(page)
    visitor.decide(page, "approve")
    if visitor.is_phone:
        visitor.result(page, "mismatch")
    else:
        visitor.refusal(page, "다시 결제하지 마세요")
    visitor.expect("409")
    assert shop.sql("SELECT status FROM charges") == [("charging",)]
    assert shop.one("SELECT count(*) FROM attempts WHERE status = 'unknown' AND flagged_at IS NOT NULL") == 1


@ON_A_DESKTOP
def test_failing_server_is_not_polled_without_end(visitor: Visitor, shop: Shop):
    path = shop.link(shop.pending(), pg="kakaopay")
    page = visitor.visit(path)
    visitor.agree(page)
    visitor.decide(page, "close")
    visitor.refusal(page, "등록되지 않았습니다")
    asked: list[str] = []

    def fail(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=500, json={"message": "일시적인 오류"})

    page.route("**/complete?*", fail)
    page.reload()  # an opened checkout asks by itself how it stands
    visitor.refusal(page, "일시적인 오류")
    visitor.expect("500")
    assert len(asked) == 1


@ON_A_PHONE
def test_form_sends_nothing_before_the_script_is_loaded(visitor: Visitor, shop: Shop):
    """Else the browser would send it by itself, with a telephone number in the address."""
    page = visitor.page()
    page.route("**/checkout.js", lambda route: route.abort())
    _, charge = overdue(shop)
    page.goto(shop.pages.url + shop.link(charge=charge, pg="payco"))
    visitor.fill_in(page)
    page.locator("#tel").press("Enter")
    expect(page.locator("#go")).to_be_disabled()
    assert "?" not in page.url
    visitor.complaints = [each for each in visitor.complaints if "ERR_FAILED" not in each]


@BOTH_WAYS
def test_payment_window_decides_nothing_before_its_script_is_loaded(visitor: Visitor, shop: Shop, pg: str):
    """Else a quick click would be lost, and the page behind the window would wait without end."""
    page = visitor.page()
    page.route("**/v1/window.js", lambda route: route.abort())
    page.goto(shop.pages.url + shop.link(shop.pending(), pg=pg))
    visitor.agree(page)
    for decision in ("approve", "decline", "close"):
        expect(visitor.window(page).get_by_test_id(decision)).to_be_disabled()
    visitor.complaints = [each for each in visitor.complaints if "ERR_FAILED" not in each]
