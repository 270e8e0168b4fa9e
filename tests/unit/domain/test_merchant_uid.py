"""A merchant_uid parses to its parts, and no other text does."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.domain.merchant_uid import MAX_LENGTH, MAX_NUMBER, MerchantUid, derive, key_only_uid, parse

CODE = "7ZK3M9QX2VB4C"
START = datetime(2026, 11, 21, 1, tzinfo=UTC)

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LETTERS, DIGITS = "abcdefghijklmnopqrstuvwxyz", "0123456789"
FIRST = datetime(1, 1, 3, tzinfo=UTC)

prefixes = st.builds(str.__add__, st.sampled_from(LETTERS), st.text(LETTERS + DIGITS, max_size=7))
codes = st.text(ALPHABET, min_size=13, max_size=13)
zones = st.sampled_from([UTC, ZoneInfo("Asia/Seoul"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Kathmandu")])
seconds = st.integers(0, int((datetime(9998, 12, 30, tzinfo=UTC) - FIRST).total_seconds()))
starts = st.builds(lambda second, zone: (FIRST + timedelta(seconds=second)).astimezone(zone), seconds, zones)
numbers = st.integers(1, MAX_NUMBER)
digits = st.text(DIGITS, min_size=17, max_size=17)


@given(prefixes, codes, starts, numbers)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_merchant_uid_fits_every_pg_and_parses_to_its_parts(prefix, code, start, number):
    text = derive(prefix, code, start, number)
    assert parse(text) == MerchantUid(prefix, code, start.astimezone(UTC), number)
    assert str(parse(text)) == text
    assert len(text) <= MAX_LENGTH
    assert re.fullmatch(r"[A-Za-z0-9]+", text), "some PGs cut off or refuse anything else"


@given(st.tuples(prefixes, codes, starts, numbers), st.tuples(prefixes, codes, starts, numbers))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_two_attempts_never_share_a_merchant_uid(one, other):
    same = (one[0], one[1], one[2].astimezone(UTC), one[3]) == (other[0], other[1], other[2].astimezone(UTC), other[3])
    assert (derive(*one) == derive(*other)) is same


@given(prefixes, codes, digits)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_parsed_merchant_uid_is_written_back_unchanged(prefix, code, number):
    text = f"{prefix}{code}{number}"
    parts = parse(text)
    assert parts is None or str(parts) == text


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_foreign_merchant_uid_is_parsed_without_an_error(text):
    parts = parse(text)
    assert parts is None or str(parts) == text


@pytest.mark.parametrize(
    "start",
    [
        datetime(2026, 11, 1, 1, 30, fold=0, tzinfo=ZoneInfo("America/New_York")),  # shown twice: the first
        datetime(2026, 11, 1, 1, 30, fold=1, tzinfo=ZoneInfo("America/New_York")),  # the second
        datetime(2026, 3, 8, 2, 30, tzinfo=ZoneInfo("America/New_York")),  # never shown
    ],
)
def test_merchant_uid_of_a_start_at_a_clock_change_is_unique(start):
    parts = parse(derive("again", CODE, start, 1))
    assert parts is not None
    assert parts.period_start == start.astimezone(UTC)


def test_same_instant_in_another_zone_has_the_same_merchant_uid():
    seoul = START.astimezone(ZoneInfo("Asia/Seoul"))
    assert derive("again", CODE, seoul, 1) == derive("again", CODE, START, 1) == f"again{CODE}20261121010000001"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "order_no_0001",  # PortOne's example
        f"{CODE}20261121010000001",  # no prefix
        f"again{CODE}20261121010000000",  # attempts count from 1
        f"again{CODE}20261321010000001",  # month 13
        f"again{CODE}20260229010000001",  # a day that 2026 does not have
        f"again{CODE}20261121240000001",  # hour 24
        f"again{CODE}20261121010060001",  # a leap second
        f"again{CODE}00001121010000001",  # year 0
        f"again{CODE}20261121010000001 ",  # one character more
        f"again{CODE}20261121010000001\n",
        f"AGAIN{CODE}20261121010000001",  # prefixes are lower case, so that code and prefix cannot run together
        "again7ZK3M9QX2VB4U20261121010000001",  # U is not in Crockford's alphabet
        f"again{CODE}２０２６1121010000001",  # digits, but not ASCII
        f"againagain{CODE}20261121010000001",  # a prefix of ten
    ],
)
def test_foreign_merchant_uid_is_not_ours(text):
    assert parse(text) is None


@pytest.mark.parametrize(
    ("prefix", "code", "start", "number"),
    [
        ("again", CODE, START, 0),
        ("again", CODE, START, MAX_NUMBER + 1),
        ("again", CODE, START, -1),
        ("again", CODE, START.replace(microsecond=1), 1),  # two starts would share one text
        ("again", CODE, START.replace(tzinfo=None), 1),  # naive: it would depend on the machine's zone
        ("again", CODE, START.astimezone(timezone(timedelta(seconds=1))).replace(microsecond=5), 1),
        ("", CODE, START, 1),
        ("9again", CODE, START, 1),
        ("Again", CODE, START, 1),
        ("again-dev", CODE, START, 1),
        ("againagain", CODE, START, 1),
        ("again", CODE[:-1], START, 1),
        ("again", CODE.lower(), START, 1),
        ("again", CODE[:-1] + "I", START, 1),
    ],
)
def test_parts_that_cannot_be_parsed_back_are_rejected(prefix, code, start, number):
    with pytest.raises(ValueError, match="no merchant_uid can hold"):
        derive(prefix, code, start, number)


@given(st.integers(0, 2**64))
def test_key_only_uid_never_reads_as_a_periods_payment(drawn: int):
    order = key_only_uid("again", "7ZK3M9QX2VB4C", drawn)
    assert parse(order) is None
    assert len(order) <= 40
    assert order.isalnum()
