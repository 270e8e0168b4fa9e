"""Public holidays in Korea, substitute ones and election days included, by the library `holidays`.

Its table of lunar dates ends with LAST_YEAR; beyond it, Seollal, Chuseok and Buddha's birthday are not known, and no
day is taken for a holiday. A holiday that the government declares for one year is known once the library that is
installed has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache

FIRST_YEAR, LAST_YEAR = 1989, 2099
"""The years in which Seollal and Chuseok have three days each, and of which the library has the lunar dates."""


def holiday_on(day: date) -> str | None:
    """Return what holiday a date is in Korea, in English; None on any other day.

    >>> holiday_on(date(2026, 2, 17)), holiday_on(date(2026, 9, 25))
    ('Korean New Year', 'Chuseok')
    >>> holiday_on(date(2027, 2, 9))  # Seollal is a Sunday
    'Alternative holiday for Korean New Year'
    >>> holiday_on(date(2026, 2, 19)), holiday_on(date(2100, 1, 1))
    (None, None)
    """
    return _of_year(day.year).get(day) if FIRST_YEAR <= day.year <= LAST_YEAR else None


@lru_cache(maxsize=32)
def _of_year(year: int) -> Mapping[date, str]:
    # Only calendars that keep off holidays need the library, which takes a third of a second to import.
    from holidays.countries.south_korea import SouthKorea

    return dict(SouthKorea(years=year, language="en_US"))  # type: ignore[no-untyped-call]
