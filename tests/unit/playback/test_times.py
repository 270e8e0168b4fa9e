from __future__ import annotations

from datetime import UTC, datetime

import pytest

from worker.domain.errors import Refused
from worker.playback.times import after_span, instant

NOON = datetime(2026, 1, 31, 3, 0, tzinfo=UTC)
"""Twelve o'clock in Seoul."""


@pytest.mark.parametrize(
    ("span", "until"),
    [
        ("36h", datetime(2026, 2, 1, 15, 0, tzinfo=UTC)),
        ("31d", datetime(2026, 3, 3, 3, 0, tzinfo=UTC)),
        ("2w", datetime(2026, 2, 14, 3, 0, tzinfo=UTC)),
        ("1m", datetime(2026, 2, 28, 3, 0, tzinfo=UTC)),
        (" 1M ", datetime(2026, 2, 28, 3, 0, tzinfo=UTC)),
        ("1y", datetime(2027, 1, 31, 3, 0, tzinfo=UTC)),
        ("10y", datetime(2036, 1, 31, 3, 0, tzinfo=UTC)),
    ],
)
def test_span_is_counted_by_the_clocks_of_seoul(span: str, until: datetime):
    assert after_span(NOON, span) == until


@pytest.mark.parametrize("span", ["", "1", "d", "0d", "-1d", "1.5d", "1d2h", "1s", "1 d", "31tage", "1d\n1d", "٣d"])
def test_what_is_no_span_is_refused_with_examples(span: str):
    with pytest.raises(Refused, match="is no span of time: write a whole number and h, d, w, m or y"):
        after_span(NOON, span)


@pytest.mark.parametrize("span", ["11y", "121m", "3654d", "99999y", "99999m", "88000h"])
def test_span_of_more_than_ten_years_is_refused(span: str):
    with pytest.raises(Refused, match="is more than 10 years"):
        after_span(NOON, span)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-12-25", datetime(2026, 12, 24, 15, 0, tzinfo=UTC)),
        ("2026-12-25T09:00", datetime(2026, 12, 25, 0, 0, tzinfo=UTC)),
        ("2026-12-25 09:00", datetime(2026, 12, 25, 0, 0, tzinfo=UTC)),
        ("2026-12-25T09:00Z", datetime(2026, 12, 25, 9, 0, tzinfo=UTC)),
        ("2026-12-25T09:00-05:00", datetime(2026, 12, 25, 14, 0, tzinfo=UTC)),
    ],
)
def test_instant_without_a_zone_is_seouls(written: str, read: datetime):
    assert instant(written) == read


@pytest.mark.parametrize(
    "written", ["", "tomorrow", "2026-02-30", "25.12.2026", "0001-01-01", "9999-12-31T23:59-12:00"]
)
def test_what_is_no_date_is_refused_with_an_example(written: str):
    with pytest.raises(Refused, match="is no date and time: write 2026-12-25"):
        instant(written)
