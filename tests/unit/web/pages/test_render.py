"""What a customer reads before a payment window opens: every term in both languages, and the hints of each PG."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from worker.checkout import CheckoutView
from worker.domain.states import CheckoutPurpose, CheckoutStatus
from worker.web.pages import render
from worker.web.pages.wording import Language

KO, EN = Language.KOREAN, Language.ENGLISH
SITE = render.Site(
    base="",
    sdk_url="https://sdk.example/iamport.js",
    merchant="imp00000000",
    company="아침편지 주식회사",
    contact="help@letter.example",
    sandbox=True,
)
TODAY = CheckoutView(
    code="7ZK3M9QX2VB4C",
    purpose=CheckoutPurpose.REGISTER,
    status=CheckoutStatus.CREATED,
    expired=False,
    expires_at=datetime(2026, 11, 25, 1, tzinfo=UTC),
    subscription="7ZK3M9QX2VB4D",
    plan="letter",
    name="아침 편지",
    amount=9900,
    tax_free=0,
    vat=900,
    currency="KRW",
    cadence="month",
    time_zone="Asia/Seoul",
    trial_days=0,
    charges_now=True,
    with_payment=False,
    first_charge_at=None,
    next_charge_at=datetime(2026, 12, 22, 1, tzinfo=UTC),
    period_start=datetime(2026, 11, 22, 1, tzinfo=UTC),
    period_end=datetime(2026, 12, 22, 1, tzinfo=UTC),
    owed=0,
    pg=None,
    pgs=("kakaopay", "payco"),
    decline_message=None,
)
AFTER_A_TRIAL = replace(
    TODAY,
    charges_now=False,
    trial_days=14,
    first_charge_at=datetime(2026, 12, 6, 1, tzinfo=UTC),
    next_charge_at=datetime(2027, 1, 6, 1, tzinfo=UTC),
)
ANOTHER_CARD = replace(TODAY, purpose=CheckoutPurpose.REPLACE, owed=19800, owed_periods=2)
OVERDUE = replace(TODAY, purpose=CheckoutPurpose.PAY, next_charge_at=None)


def stripped_text(view: CheckoutView, language: Language, *pgs: str, site: render.Site = SITE) -> str:
    """What a reader sees of the page, in one line."""
    page = render.agreement(site, replace(view, pgs=pgs or view.pgs), "token", language)
    main = page[page.index("<h1>") :]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())


def hints_of(view: CheckoutView, language: Language, pg: str) -> list[str]:
    """The notes that are shown while this PG is the chosen one."""
    page = render.agreement(SITE, view, "token", language)
    return [
        html.unescape(text)
        for pgs, text in re.findall(r'<li data-pgs="([^"]+)">([^<]+)</li>', page)
        if pg in pgs.split()
    ]


TERMS = [
    # what is agreed to; in Korean; in English
    (TODAY, "아침 편지", "아침 편지"),  # the plan
    (TODAY, "9,900원 / 매월", "₩9,900 every month"),  # the price
    (TODAY, "부가세 900원 포함", "including ₩900 VAT"),
    (TODAY, "결제 주기 매월", "Charged every month"),
    (TODAY, "첫 결제 오늘 (등록과 함께 결제)", "First payment Today, with your registration"),
    (TODAY, "다음 결제 2026년 12월 22일 (화) 오전 10시", "Next payment Tue, 22 December 2026, 10:00 (Korean time)"),
    (TODAY, "청구하는 곳 아침편지 주식회사", "Charged by 아침편지 주식회사"),
    (TODAY, "해지 안내 언제든지 해지할 수 있으며", "How to cancel You can cancel at any time"),
    (TODAY, "해지 및 문의: help@letter.example", "To cancel or ask: help@letter.example"),
    (
        TODAY,
        "오늘 첫 요금 9,900원이 결제되고 이후 매월 9,900원이",
        "₩9,900 is charged today, and then ₩9,900 automatically",
    ),
    (AFTER_A_TRIAL, "무료 체험 2026년 12월 6일 (일)까지 무료", "Free trial free until Sun, 6 December 2026"),
    (AFTER_A_TRIAL, "첫 결제 2026년 12월 6일 (일) 오전 10시", "First payment Sun, 6 December 2026, 10:00"),
    (AFTER_A_TRIAL, "다음 결제 2027년 1월 6일 (수) 오전 10시", "Next payment Wed, 6 January 2027, 10:00"),
    (AFTER_A_TRIAL, "지금은 결제되지 않고", "Nothing is charged now"),
    (ANOTHER_CARD, "미납 요금 19,800원이 새 결제 수단으로", "The overdue ₩19,800 is charged to the new payment method"),
    (ANOTHER_CARD, "미납 요금 19,800원 (2회분)", "Overdue ₩19,800 for 2 periods"),
    (ANOTHER_CARD, "다음 결제 2026년 12월 22일 (화)", "Next payment Tue, 22 December 2026"),
    (
        OVERDUE,
        "이용 기간 2026년 11월 22일 (일) ~ 2026년 12월 21일 (월)",
        "Sun, 22 November 2026 to Mon, 21 December 2026",
    ),
    (OVERDUE, "9,900원을 지금 결제하는 것에 동의합니다.", "agree to pay ₩9,900 now."),
]


@pytest.mark.parametrize(("view", "korean", "english"), TERMS)
def test_agreement_page_shows_the_terms_in_both_languages(view, korean, english):
    assert korean in stripped_text(view, KO)
    assert english in stripped_text(view, EN)


def test_tax_free_price_says_so():
    view = replace(TODAY, tax_free=9900, vat=0)
    assert "부가세 없음(면세)" in stripped_text(view, KO)
    assert "free of VAT" in stripped_text(view, EN)


def test_page_without_a_contact_says_how_to_cancel():
    site = replace(SITE, contact="")
    assert "해지는 구독을 신청한 서비스에서" in stripped_text(TODAY, KO, site=site)
    assert "Cancel where you signed up" in stripped_text(TODAY, EN, site=site)


@pytest.mark.parametrize("view", [TODAY, AFTER_A_TRIAL, ANOTHER_CARD, OVERDUE])
def test_kakaopay_pages_say_that_payment_is_made_in_the_kakao_app(view):
    assert "카카오페이 결제는 휴대폰의 카카오 앱에서 진행됩니다." in hints_of(view, KO, "kakaopay")
    assert "Kakao Pay is completed in the Kakao app on your phone." in hints_of(view, EN, "kakaopay")
    assert not any("Kakao app" in hint for hint in hints_of(view, EN, "payco"))


@pytest.mark.parametrize(("view", "is_said"), [(TODAY, True), (ANOTHER_CARD, True), (OVERDUE, False)])
def test_payco_registration_pages_say_that_the_shown_amount_is_not_charged(view, is_said):
    korean, english = hints_of(view, KO, "payco"), hints_of(view, EN, "payco")
    assert any("등록할 때 결제되지 않습니다" in hint for hint in korean) is is_said
    assert any("PAYCO's window is not charged" in hint for hint in english) is is_said
    assert not any("PAYCO" in hint for hint in hints_of(view, EN, "kakaopay"))


def test_kakaopay_initial_payment_has_its_amount_on_the_button():
    view = replace(TODAY, with_payment=True)
    assert "동의하고 카카오페이로 9,900원 결제하기" in stripped_text(view, KO, "kakaopay")
    assert "Agree and pay ₩9,900 with Kakao Pay" in stripped_text(view, EN, "kakaopay")
    assert "Agree and register with PAYCO" in stripped_text(view, EN, "payco")


@pytest.mark.parametrize(("view", "asked"), [(TODAY, []), (ANOTHER_CARD, []), (OVERDUE, [("payco", "tel")])])
def test_buyers_telephone_number_is_asked_for_paycos_payments_only(view, asked):
    page = render.agreement(SITE, view, "token", KO)
    assert re.findall(r'<div class="field" data-pgs="([^"]+)">\s*<label for="(\w+)">', page) == asked
