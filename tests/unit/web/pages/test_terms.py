"""What a customer is told before a window opens."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from worker.domain.states import CheckoutPurpose
from worker.web.pages.terms import notes_of
from worker.web.pages.wording import Language


def told(purpose: CheckoutPurpose, amount: int, language: Language = Language.KOREAN) -> list[str]:
    view: Any = SimpleNamespace(
        purpose=purpose,
        amount=amount,
        first_amount=amount,
        owed=0,
        given_up=0,
        charges_now=False,
        with_payment=False,
        pgs=("kakaopay", "payco"),
    )
    return [note.text for note in notes_of(view, language) if note.pgs == ("payco",)]


@pytest.mark.parametrize(
    ("purpose", "amount", "is_told"),
    [
        (CheckoutPurpose.PAY, 299_999, False),
        (CheckoutPurpose.PAY, 300_000, True),
        (CheckoutPurpose.REGISTER, 300_000, False),  # nothing is paid in that window
    ],
)
def test_payco_page_announces_the_confirmation_call_from_300_000_won(purpose, amount, is_told):
    sentence = "페이코(PAYCO): 300,000원 이상은 결제창에서 전화(ARS) 확인이 있을 수 있습니다."
    assert (sentence in told(purpose, amount)) is is_told


def test_confirmation_call_is_announced_in_english_too():
    (note,) = told(CheckoutPurpose.PAY, 300_000, Language.ENGLISH)
    assert note == "PAYCO: from ₩300,000 on, its window may call you to confirm the payment."
