"""Valid customer_uids, and which part of one is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.customer_uid import is_customer_uid, masked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", True),
        ("u" * 80, True),
        ("gildong_0001-1234@shop.kr", True),
        ("", False),
        ("u" * 81, False),
        ("gil dong", False),
        ("gildong\n", False),  # `$` in a pattern would let this one through
        ("길동", False),
        ("\x7f", False),
    ],
)
def test_customer_uid_is_printable_ascii_of_at_most_80_characters(text, expected):
    assert is_customer_uid(text) is expected


@given(st.text("abcdefghij", min_size=1, max_size=80))
def test_customer_uid_is_shown_mostly_hidden(customer_uid: str):
    shown = masked(customer_uid).removeprefix("****")
    assert len(shown) * 3 <= len(customer_uid)
    assert customer_uid.endswith(shown)
