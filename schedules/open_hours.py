"""When a PG's charges may be made: the hours of the day, less its maintenance. In Seoul's time, as PGs say it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from schedules.errors import InvalidOpenHours

SEOUL = ZoneInfo("Asia/Seoul")

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = 24 * 60  # minutes
WEEK = 7 * DAY
SHORTEST = 60
"""Minutes in a row, once a week at least: a PG that is open for less would keep its customers waiting for ever."""

NONE = "none"

_SPAN = re.compile(r"(?:(mon|tue|wed|thu|fri|sat|sun) )?([0-2][0-9]):([0-5][0-9])-([0-2][0-9]):([0-5][0-9])")
_DATED = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d) ?/ ?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d)")


@dataclass(frozen=True)
class OpenHours:
    """The hours of each day in which charges may be made, and the maintenance in which they may not.

    `hours` is one span such as `08:00-22:00`; empty for all day. `maintenance` is a list of spans: `23:30-00:30` each
    day, `sun 02:00-06:00` each week, `2027-02-06T00:00/2027-02-07T06:00` once.

    >>> hours = OpenHours("08:00-22:00", "sun 02:00-09:00, 2027-02-06T00:00/2027-02-06T12:00")
    >>> hours.opens_at(datetime(2027, 1, 1, 14, tzinfo=UTC)).isoformat()  # Friday, 23:00 in Seoul
    '2027-01-01T23:00:00+00:00'
    >>> hours.opens_at(datetime(2027, 1, 2, 14, tzinfo=UTC)).isoformat()  # Saturday, so after Sunday's maintenance
    '2027-01-03T00:00:00+00:00'
    >>> hours.opens_at(datetime(2027, 2, 6, 0, tzinfo=UTC)).isoformat()
    '2027-02-06T03:00:00+00:00'
    >>> hours.is_open(datetime(2027, 2, 6, 3, tzinfo=UTC))
    True

    Raises InvalidOpenHours for spans that cannot be read, and where they leave no hour in which to charge.
    """

    hours: str = ""
    maintenance: str = ""

    def __post_init__(self) -> None:
        if self._longest < SHORTEST:
            raise InvalidOpenHours(str(self), "no hour of the week is left in which to charge")
        for since, until in self._dated:
            if until <= since:
                raise InvalidOpenHours(f"{since:%Y-%m-%dT%H:%M}/{until:%Y-%m-%dT%H:%M}", "it ends before it begins")

    def __str__(self) -> str:
        return f"{self.hours or 'all day'}, less {self.maintenance}" if self.maintenance else self.hours or "all day"

    def is_open(self, at: datetime) -> bool:
        """Return whether a charge may be made at an instant; the first minute of a span counts, the last does not."""
        return self.opens_at(at) == at

    def opens_at(self, at: datetime) -> datetime:
        """Return the first instant from one on at which charges may be made: itself while it is open."""
        while True:
            ends = [until for since, until in self._dated if since <= at < until]
            if ends:
                at = max(ends)
                continue
            local = at.astimezone(SEOUL)
            minute = local.weekday() * DAY + local.hour * 60 + local.minute
            wait = next(wait for wait in range(WEEK) if not self._closed[(minute + wait) % WEEK])
            if not wait:
                return at
            at = (local.replace(second=0, microsecond=0) + timedelta(minutes=wait)).astimezone(UTC)

    @cached_property
    def _closed(self) -> bytes:
        """Whether each minute of the week is closed, from Monday 00:00 on; dated maintenance apart."""
        closed = bytearray(WEEK)
        if self.hours:
            closed = bytearray(b"\1" * WEEK)
            for minute in _minutes(self.hours):
                closed[minute] = 0
        for span in self._spans:
            for minute in _minutes(span):
                closed[minute] = 1
        return bytes(closed)

    @cached_property
    def _longest(self) -> int:
        """The longest time, in minutes, for which it is open each week."""
        return max(map(len, (self._closed * 2).split(b"\1")))

    @cached_property
    def _spans(self) -> tuple[str, ...]:
        return tuple(each for each in _listed(self.maintenance) if not _DATED.fullmatch(each))

    @cached_property
    def _dated(self) -> tuple[tuple[datetime, datetime], ...]:
        matches = (_DATED.fullmatch(each) for each in _listed(self.maintenance))
        return tuple((_instant(match[1]), _instant(match[2])) for match in matches if match)


def parse_open_hours(hours: str, maintenance: str) -> OpenHours:
    """Return the hours written in two texts, each of which may be `none`. Raises InvalidOpenHours."""
    return OpenHours(
        *("" if text.strip().lower() == NONE else ", ".join(_listed(text)) for text in (hours, maintenance))
    )


def _listed(text: str) -> list[str]:
    spans = (" ".join(each.lower().split()) for each in text.split(","))
    return [re.sub(r"(?<=\d)t(?=\d)", "T", each) for each in spans if each]


def _minutes(span: str) -> list[int]:
    """Return the minutes of the week that a span covers; one that ends before it begins passes midnight."""
    match = _SPAN.fullmatch(span)
    if match is None:
        raise InvalidOpenHours(span, "it is no span of time")
    begins, ends = (int(match[hour]) * 60 + int(match[hour + 1]) for hour in (2, 4))
    if begins >= DAY or ends > DAY or begins == ends:
        raise InvalidOpenHours(span, "it is no span of time")
    length = ends - begins if ends > begins else ends + DAY - begins
    days = range(7) if match[1] is None else (WEEKDAYS.index(match[1]),)
    return [(day * DAY + begins + minute) % WEEK for day in days for minute in range(length)]


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=SEOUL).astimezone(UTC)
    except ValueError:
        raise InvalidOpenHours(text, "there is no such date and time") from None
