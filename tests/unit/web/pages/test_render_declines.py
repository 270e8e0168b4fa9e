"""What a PG said about a refusal, as customers read it: without its code, not without end, and never as HTML."""

from __future__ import annotations

from typing import Any, cast

import pytest

from worker.checkout import CheckoutView
from worker.domain.states import CheckoutPurpose
from worker.web.pages import render
from worker.web.pages.wording import Language

SAID = [
    ("[0002]한도초과", "안내: 한도초과"),
    ("[LACK_BALANCE] 잔액이 부족합니다", "안내: 잔액이 부족합니다"),
    ("한도초과 [0002]", "안내: 한도초과 [0002]"),
    ("{amount} {0} %s", "안내: {amount} {0} %s"),  # no format of ours
    ("<script>alert(1)</script>", "안내: <script>alert(1)</script>"),  # escaped where it is put into a page
]


class Declined:
    """As much of a view as is asked for."""

    pg = "kakaopay"

    def __init__(self, said: str | None, purpose: CheckoutPurpose, *, with_payment: bool) -> None:
        self.decline_message, self.purpose, self.with_payment = said, purpose, with_payment


def declined(
    said: str | None,
    language: Language = Language.KOREAN,
    purpose: CheckoutPurpose = CheckoutPurpose.PAY,
    *,
    with_payment: bool = False,
) -> str:
    view: Any = Declined(said, purpose, with_payment=with_payment)
    return render.declined(cast("CheckoutView", view), language)


@pytest.mark.parametrize(
    ("said", "language", "read"),
    [
        ("[0002]한도초과", Language.ENGLISH, "Kakao Pay said (in Korean): 한도초과"),
        ("limit exceeded", Language.ENGLISH, "Kakao Pay said: limit exceeded"),
        ("[0002]한도초과", Language.KOREAN, "카카오페이 안내: 한도초과"),
    ],
)
def test_pgs_message_is_introduced_with_its_name_and_language(said: str, language: Language, read: str):
    assert declined(said, language).endswith(f" {read}")


@pytest.mark.parametrize(
    ("purpose", "with_payment", "is_payment"),
    [
        (CheckoutPurpose.PAY, False, True),
        (CheckoutPurpose.REGISTER, True, True),  # Kakao Pay takes the first period in its window
        (CheckoutPurpose.REGISTER, False, False),
        (CheckoutPurpose.REPLACE, False, False),
    ],
)
def test_declined_registration_is_not_called_a_failed_payment(purpose, with_payment, is_payment):
    english = declined(None, Language.ENGLISH, purpose, with_payment=with_payment)
    korean = declined(None, Language.KOREAN, purpose, with_payment=with_payment)
    assert english.startswith("The payment was not completed" if is_payment else "The payment method was not regist")
    assert korean.startswith("결제가 완료되지 않았습니다" if is_payment else "결제 수단이 등록되지 않았습니다")


@pytest.mark.parametrize(("said", "read"), SAID)
def test_pgs_message_is_shown_without_its_code(said: str, read: str):
    assert declined(said).endswith(read)


@pytest.mark.parametrize("said", [None, "", "[0002]"])
def test_decline_without_a_message_shows_none(said: str | None):
    assert "안내" not in declined(said)


def test_long_decline_message_is_cut_off():
    assert len(declined("가" * 5000)) < 400


def test_pgs_message_is_escaped_in_the_page():
    site = render.Site(base="", sdk_url="", merchant="", company="<i>Co</i>", contact="<u>us</u>", sandbox=True)
    page = render.result(site, Language.KOREAN, "error", title="<b>", lead=declined("<script>\"'&"))
    assert '<script>"' not in page
    assert "&lt;script&gt;&#34;&#39;&amp;" in page
    assert "<i>" not in page
    assert "<u>" not in page
    assert "<b>" not in page
