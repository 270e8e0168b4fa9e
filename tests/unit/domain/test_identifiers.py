"""Codes, customer_uids, and which part of one is shown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.identifiers import CROCKFORD, is_customer_uid, masked, new_code, read_code
from worker.domain.merchant_uid import derive, parse


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


def test_subscription_code_has_13_characters_that_fit_a_merchant_uid():
    for _ in range(1000):
        code = new_code()
        assert len(code) == 13
        assert set(code) <= set(CROCKFORD)
        parts = parse(derive("again", code, datetime(2026, 1, 1, tzinfo=UTC), 1))
        assert parts is not None
        assert parts.subscription_code == code


def test_subscription_codes_differ_and_use_every_character():
    codes = [new_code() for _ in range(1000)]
    assert len(set(codes)) == 1000
    assert set("".join(codes)) == set(CROCKFORD)


def test_subscription_code_is_read_in_all_spellings():
    assert read_code(" 7zk3m9qx2vb4c ") == "7ZK3M9QX2VB4C"
    assert read_code("oOiIlL0000000") == "0011110000000"
