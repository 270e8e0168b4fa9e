"""How many unpaid periods a new key pays, as a plan says it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules.end_of_dunning import ArrearsPolicy, parse_arrears
from schedules.errors import InvalidArrears


@pytest.mark.parametrize(
    ("text", "newest"), [("all", None), ("ALL", None), ("none", 0), ("newest 1", 1), (" Newest  12 ", 12)]
)
def test_arrears_are_read_as_they_are_written(text: str, newest: int | None):
    assert parse_arrears(text).newest == newest


@pytest.mark.parametrize("text", ["", "newest", "newest 0", "newest -1", "newest 1001", "newest 1.5", "oldest 1", "1"])
def test_other_arrears_are_refused_with_what_can_be_written(text: str):
    with pytest.raises(InvalidArrears, match=r"'all', 'newest 1' or 'none'"):
        parse_arrears(text)


@given(st.none() | st.integers(0, 1000))
def test_text_of_arrears_is_read_back_as_the_same(newest: int | None):
    assert parse_arrears(str(ArrearsPolicy(newest))) == ArrearsPolicy(newest)


@given(st.integers(0, 1000), st.integers(0, 50))
def test_new_key_pays_the_newest_and_no_more_than_there_are(newest: int, unpaid: int):
    assert unpaid - ArrearsPolicy(newest).older(range(unpaid)) == min(newest, unpaid)
    assert ArrearsPolicy().older(range(unpaid)) == 0
