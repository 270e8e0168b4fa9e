"""What is left out of a refusal that is shown to operators."""

from __future__ import annotations

import pytest

from worker.domain.declines import impersonal


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[8326]한도초과", "[8326]한도초과"),
        ("홍길동님의 잔액이 부족합니다", "○○님의 잔액이 부족합니다"),
        ("고객님의 카드가 정지되었습니다", "고객님의 카드가 정지되었습니다"),
        ("문의 1588-1234", "문의 #"),
        ("계좌 110123456789 해지", "계좌 # 해지"),
        ("계좌 110-123-456789", "계좌 #"),
        ("카드 5365-10**-****-1234 정지", "카드 # 정지"),
        ("gildong@shop.example 미등록", "@ 미등록"),
        ("a" * 300, "a" * 200),
    ],
)
def test_refusal_is_shown_without_what_may_name_the_buyer(text: str, shown: str):
    assert impersonal(text) == shown
