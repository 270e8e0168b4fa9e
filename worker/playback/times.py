"""How times are written for the clock: a span such as `31d` or `1m`, and an instant by the clocks of Seoul. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from dateutil.relativedelta import relativedelta

from schedules.plans import SEOUL
from worker.domain.errors import Refused

LONGEST = 10
"""Years that the clock can be advanced by at once."""

_UNITS: Mapping[str, Callable[[int], relativedelta]] = {
    "h": lambda count: relativedelta(hours=count),
    "d": lambda count: relativedelta(days=count),
    "w": lambda count: relativedelta(weeks=count),
    "m": lambda count: relativedelta(months=count),
    "y": lambda count: relativedelta(years=count),
}
_SPAN = re.compile(r"([1-9][0-9]{0,4})([hdwmy])")


def after_span(since: datetime, span: str) -> datetime:
    """Return the instant a span after another one, by the clocks of Seoul; months and years go to the same day.

    >>> after_span(datetime(2026, 1, 31, 3, tzinfo=UTC), "1m").isoformat()
    '2026-02-28T03:00:00+00:00'
    >>> after_span(datetime(2026, 1, 31, 3, tzinfo=UTC), "36h").isoformat()
    '2026-02-01T15:00:00+00:00'

    Raises Refused for what is no span, and for more than ten years.
    """
    match = _SPAN.fullmatch(span.strip().lower())
    if match is None:
        raise Refused(
            f"{span!r:.40} is no span of time: write a whole number and h, d, w, m or y for hours, days, weeks, months "
            "or years, such as 31d or 1m."
        )
    local = since.astimezone(SEOUL)
    try:
        until = local + _UNITS[match[2]](int(match[1]))
    except (OverflowError, ValueError):
        until = local + relativedelta(years=LONGEST + 1)
    if until > local + relativedelta(years=LONGEST):
        raise Refused(f"{span!r:.40} is more than {LONGEST} years: the clock can be turned {LONGEST} years at most.")
    return until.astimezone(UTC)


def instant(written: str) -> datetime:
    """Return an instant written in ISO 8601; without a zone it is Seoul's, and without a time the day's start.

    >>> instant("2026-12-25").isoformat()
    '2026-12-24T15:00:00+00:00'

    Raises Refused for what is no date and time.
    """
    try:
        read = datetime.fromisoformat(written.strip())
        return (read if read.tzinfo is not None else read.replace(tzinfo=SEOUL)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(
            f"{written!r:.40} is no date and time: write 2026-12-25, or 2026-12-25T09:00 with the time in Seoul."
        ) from None
