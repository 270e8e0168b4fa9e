"""How ages, instants and money read on the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from worker.cli.formats import age, local, local_date, local_time, money

NOW = datetime(2026, 1, 5, 16, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("passed", "expected"),
    [
        (timedelta(0), "now"),
        (timedelta(milliseconds=999), "now"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=23), "23 h"),
        (timedelta(days=400), "400 d"),
        (timedelta(seconds=-5), "now"),  # another machine's clock is ahead
    ],
)
def test_an_age_is_told_in_the_largest_unit_that_fits(passed, expected):
    assert age(NOW - passed, NOW) == expected


def test_an_instant_is_shown_by_the_clocks_of_its_zone():
    assert local(NOW, "Asia/Seoul") == "2026-01-06 01:30 KST"
    assert local_time(NOW, "Asia/Seoul") == "2026-01-06 01:30"
    assert local_date(NOW, "Asia/Seoul") == "2026-01-06"
    assert (age(None, NOW), local(None, "UTC")) == ("", "")


def test_money_has_separators_and_a_currency():
    assert money(1_234_567) == "1,234,567 KRW"


@pytest.mark.parametrize(
    ("instant", "zone", "shown"),
    [
        (datetime(9999, 12, 31, 23, 59, tzinfo=UTC), "Asia/Seoul", "9999-12-31 23:59 UTC"),
        (datetime(1, 1, 1, tzinfo=UTC), "America/New_York", "1-01-01 00:00 UTC"),
        (datetime(2026, 1, 1, tzinfo=UTC), "Asia/Nowhere", "2026-01-01 00:00 UTC"),
        (datetime(2026, 1, 1, tzinfo=UTC), "../etc/passwd", "2026-01-01 00:00 UTC"),
    ],
)
def test_instant_outside_the_zone_range_is_shown_in_utc(instant, zone, shown):
    assert local(instant, zone).lstrip("0") == shown
    assert local_date(instant, zone).lstrip("0").startswith(shown[:7])
