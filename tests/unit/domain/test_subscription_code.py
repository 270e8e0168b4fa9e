"""The 13 characters of a subscription."""

from __future__ import annotations

from datetime import UTC, datetime

from worker.domain.merchant_uid import derive, parse
from worker.domain.subscription_code import CROCKFORD, new_code, read_code


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
