"""With the keyboard alone, by what a screen reader reads, and in both languages, at both sizes."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.browser.sizes import ON_A_DESKTOP, ON_A_PHONE
from tests.browser.story import overdue
from tests.support.checkout import Shop


@ON_A_DESKTOP
def test_page_works_with_the_keyboard_alone(visitor: Visitor, shop: Shop):
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
def test_language_is_the_browsers_and_can_be_changed(visitor: Visitor, shop: Shop):
    page = visitor.visit(shop.link(shop.pending(), pg="kakaopay"))
    expect(page.locator("html")).to_have_attribute("lang", "ko")
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Set up automatic payment")
    visitor.agree(page)
    visitor.decide(page, "approve")
    expect(page.get_by_role("heading", level=1)).to_have_text("You are all set")
    assert shop.one("SELECT wording FROM checkouts").endswith("-en")


def test_form_fields_all_have_a_label(visitor: Visitor, shop: Shop):
    page = visitor.visit(shop.link(shop.pending(), pg="payco"))
    unnamed = "els => els.filter(el => el.type !== 'hidden' && !el.labels.length).map(el => el.outerHTML)"
    assert page.eval_on_selector_all("input", unnamed) == []
    assert page.locator("h1").count() == page.locator("main").count() == 1
    assert page.locator("#say").get_attribute("aria-live") == "polite"


@ON_A_PHONE
def test_invalid_telephone_number_is_marked_with_its_format(visitor: Visitor, shop: Shop):
    _, charge = overdue(shop)
    page = visitor.visit(shop.link(charge=charge, pg="payco"))
    visitor.fill_in(page)
    tel = page.get_by_label("휴대폰 번호")
    expect(tel).to_have_accessible_description(re.compile("예: 010-1234-5678$"))
    tel.fill("전화 없음")
    visitor.expect("422")
    page.locator("#go").click()
    visitor.refusal(page, "휴대폰 번호: 010-1234-5678 형식으로 입력해 주세요.")
    expect(tel).to_have_attribute("aria-invalid", "true")
    expect(tel).to_be_focused()
    tel.fill("010-1234-5678")
    page.locator("#go").click()
    expect(visitor.window(page).get_by_test_id("approve")).to_be_visible()
    expect(tel).not_to_have_attribute("aria-invalid", "true")


def test_screen_reader_reads_the_terms(visitor: Visitor, shop: Shop):
    page = visitor.visit(shop.link(shop.pending()))
    expect(page.locator("main")).to_match_aria_snapshot(AS_READ)


AS_READ = """
- main:
  - heading "정기결제 등록" [level=1]
  - region "아침 편지":
    - heading "아침 편지" [level=2]
    - paragraph: 9,900원 / 매월
    - paragraph: 부가세 900원 포함
    - term: 결제 주기
    - definition: 매월
  - region "해지 안내":
    - heading "해지 안내" [level=2]
  - group "결제 수단 선택":
    - radio "카카오페이" [checked]
    - radio "페이코(PAYCO)"
  - checkbox /오늘 첫 요금 9,900원이 결제되고/
  - button "동의하고 계속하기"
"""
