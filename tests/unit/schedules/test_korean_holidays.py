"""Korea's holidays, as the government has announced them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from schedules.korean_holidays import LAST_YEAR, holiday_on


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(2026, 2, 16), "The day preceding Korean New Year"),
        (date(2026, 2, 18), "The second day of Korean New Year"),
        (date(2026, 2, 19), None),
        # substitutes: for a Sunday of Seollal, a Saturday of Liberation Day, a Sunday of Buddha's birthday
        (date(2027, 2, 9), "Alternative holiday for Korean New Year"),
        (date(2026, 8, 17), "Alternative holiday for Liberation Day"),
        (date(2026, 5, 25), "Alternative holiday for Buddha's Birthday"),
        # none for a Saturday of Chuseok
        (date(2026, 9, 26), "The second day of Chuseok"),
        (date(2026, 9, 28), None),
        # an election
        (date(2026, 6, 3), "Local Election Day"),
        (date(2026, 12, 24), None),
    ],
)
def test_holiday_is_known_by_its_name(day, name):
    assert holiday_on(day) == name


def test_seollal_and_chuseok_are_known_for_decades():
    for year in (*range(2026, 2046), LAST_YEAR):
        days = [date(year, 1, 1) + timedelta(days=days) for days in range(366)]
        names = [holiday_on(day) for day in days if day.year == year]
        assert {"Korean New Year", "Chuseok"} <= {name.split(";")[0] for name in names if name}, year


def test_no_day_is_a_holiday_beyond_the_years_that_are_known():
    assert holiday_on(date(LAST_YEAR + 1, 1, 1)) is None
    assert holiday_on(date(9999, 12, 25)) is None
