"""How often a plan bills: every n days, weeks, months or years from an anchor, or when a cron expression fires.

Every cadence that exists can be billed: both kinds raise InvalidCadence on construction.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise

from croniter import CroniterBadDateError, croniter

from schedules.errors import InvalidCadence


class Unit(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


# Longest period in each unit: ten years. A longer one is a typing error, and no billing key lives that long.
LONGEST = {Unit.DAY: 3650, Unit.WEEK: 520, Unit.MONTH: 120, Unit.YEAR: 10}
LONGEST_OF_UNIT = {Unit.DAY: 1, Unit.WEEK: 7, Unit.MONTH: 31, Unit.YEAR: 366}  # days
LONGEST_TEXT = 100  # characters; keeps hostile input from croniter's regular expressions
CRON_FIELDS = ("minute", "hour", "day of month", "month", "day of week")

# First letters of croniter's extensions that draw a time at random or from a hash: "R", "H(0-29)", "R/5".
_DRAWN = ("H", "R")
# Weekdays and leap years repeat every 28 years between 1901 and 2099, so these years cover every case.
_CALENDAR_CYCLE = range(2000, 2028)
LONGEST_PAUSE = 10  # years without a fire, as for anchored cadences
# How far croniter searches: an expression that fires at all does so within 40 years (a Monday on 29 February, across
# 2100). It has to search that far even if a fire is near: given a day of the month and a weekday, it finds both and
# takes the nearer.
SEARCH_YEARS = 40


@dataclass(frozen=True)
class Anchored:
    """Every n units, counted from the subscription's anchor: `Anchored(3, Unit.MONTH)` is every quarter."""

    every: int
    unit: Unit

    def __post_init__(self) -> None:
        longest = LONGEST[self.unit]
        if not 1 <= self.every <= longest:
            raise InvalidCadence(
                str(self),
                f"the number of {self.unit}s must be from 1 to {longest} (ten years), not {self.every}",
            )

    def __str__(self) -> str:
        return self.unit.value if self.every == 1 else f"{self.every} {self.unit}s"


@dataclass(frozen=True)
class Cron:
    """Whenever a five-field cron expression fires in the plan's time zone: at most once on a local day.

    If both the day of the month and the weekday are given, either is enough, as in cron; `L` is the month's last day.
    The expression is normalized to capitals and single spaces, so that equal schedules compare equal.
    """

    expression: str

    def __post_init__(self) -> None:
        expression = " ".join(self.expression.split()).upper()
        object.__setattr__(self, "expression", expression)
        if reason := _objection(expression):
            raise InvalidCadence(str(self), reason)

    def __str__(self) -> str:
        return f"cron {self.expression}"


Cadence = Anchored | Cron


def parse_cadence(text: str) -> Cadence:
    """Return the cadence in a text; `str` of the result is its canonical form and parses to an equal value.

    `month`, `3 months`, `2 weeks`, `day`, `year`, or `cron` and five fields. Raises InvalidCadence.
    """
    if len(text) > LONGEST_TEXT:
        raise InvalidCadence(text, f"it is longer than {LONGEST_TEXT} characters")
    match text.lower().split():
        case ["cron", *fields]:
            return Cron(" ".join(fields))
        case [unit]:
            return Anchored(1, _unit(unit, text))
        case [every, unit]:
            return Anchored(_number(every, text), _unit(unit, text))
        case words if len(words) == len(CRON_FIELDS):
            raise InvalidCadence(text, "a cron expression needs the word cron before it")
        case _:
            raise InvalidCadence(text, "a cadence is a number and a unit, or cron and five fields")


@lru_cache(maxsize=1024)
def longest_period(cadence: Cadence) -> int:
    """Return the most days from one start of a cadence to the next; of a cron, as the next 400 are.

    >>> [longest_period(parse_cadence(text)) for text in ("2 weeks", "3 months", "cron 0 9 1 * *", "cron 0 9 * * 1-5")]
    [14, 93, 31, 3]
    """
    if isinstance(cadence, Anchored):
        return cadence.every * LONGEST_OF_UNIT[cadence.unit]
    new_year = datetime.combine(date(_CALENDAR_CYCLE.start, 1, 1), time.min)
    cron = croniter(cadence.expression, new_year, datetime, max_years_between_matches=SEARCH_YEARS)
    starts: list[datetime] = [cron.get_next() for _ in range(400)]
    return max((later - earlier).days for earlier, later in pairwise(starts))


def _number(word: str, text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,9}", word):
        raise InvalidCadence(text, f"{word!r} is not a whole number")
    return int(word)


def _unit(word: str, text: str) -> Unit:
    try:
        return Unit(word.removesuffix("s"))
    except ValueError:
        units = ", ".join(Unit)
        raise InvalidCadence(text, f"{word!r} is not a unit; the units are {units}") from None


@lru_cache(maxsize=1024)  # every plan read from the database needs it
def _objection(expression: str) -> str | None:
    """Return why an expression cannot be billed, or None if it can."""
    return _objection_to_form(expression) or _objection_to_times(expression)


def _objection_to_form(expression: str) -> str | None:
    fields = expression.split()
    if len(expression) > LONGEST_TEXT:
        return f"it is longer than {LONGEST_TEXT} characters"
    if len(fields) != len(CRON_FIELDS):
        names = ", ".join(CRON_FIELDS)
        return f"it needs five fields ({names}) and has {len(fields)}; no seconds, years or @words"
    if any(field.startswith(_DRAWN) for field in fields):
        return "R and H stand for a time drawn at random or from a hash, and a billing date must be certain"
    if rejected := _rejected_fields(expression, fields):
        return f"croniter does not accept the {rejected}"
    return None


def _objection_to_times(expression: str) -> str | None:
    if not _fires_once_a_day(expression):
        return (
            "it fires more than once on a local day and a subscription is billed at most once per local billing date; "
            "give one minute and one hour"
        )
    if not _keeps_firing(expression):
        return f"it never fires, or not once in {LONGEST_PAUSE} years"
    return None


def _rejected_fields(expression: str, fields: list[str]) -> str:
    """Return the names of the fields that croniter rejects even among valid ones; empty if the expression is valid."""
    if croniter.is_valid(expression):
        return ""
    culprits = [
        f"{name} {field!r}"
        for place, (name, field) in enumerate(zip(CRON_FIELDS, fields, strict=True))
        if not croniter.is_valid(" ".join(["1"] * place + [field] + ["1"] * (len(fields) - place - 1)))
    ]
    return " and the ".join(culprits) or "combination of fields"


def _fires_once_a_day(expression: str) -> bool:
    """Return whether minute and hour are one number each: croniter combines all of them on every matching day."""
    minutes, hours = croniter.expand(expression)[0][:2]
    return all(len(field) == 1 and field != ["*"] for field in (minutes, hours))


def _keeps_firing(expression: str) -> bool:
    """Return whether it fires within any ten calendar years: 29 February does, 30 February and 31 April never do."""
    cron = croniter(expression, ret_type=datetime, max_years_between_matches=SEARCH_YEARS)
    new_years = [datetime.combine(date(year, 1, 1), time.min) for year in _CALENDAR_CYCLE]
    try:
        return all(cron.get_next(start_time=start).year < start.year + LONGEST_PAUSE for start in new_years)
    except CroniterBadDateError:
        return False
