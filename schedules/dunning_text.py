"""A dunning calendar as plans have it: one line, or one clause a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from schedules.dunning import (
    NO_HOLIDAYS,
    NO_RETRY,
    NO_WEEKENDS,
    PAYDAY,
    DunningCalendar,
    DunningKind,
    DunningRule,
    TryHours,
)
from schedules.errors import InvalidDunning

LONGEST_TEXT = 500  # characters

_CLAUSES = f"{', '.join(DunningKind)}, '{NO_WEEKENDS}', '{NO_HOLIDAYS}', paydays or tries"
"""What a clause after the first begins with."""


def parse_dunning(text: str) -> DunningCalendar:
    """Return the calendar in a text; `str` of it parses to an equal one. Raises InvalidDunning.

    >>> parse_dunning("1,3,5,7").days
    (1, 3, 5, 7)
    >>> parse_dunning("none").is_plain
    True
    >>> print(parse_dunning('''
    ...     1,3,5,7 at 9-21
    ...     balance 1, 3, payday at 18-21
    ...     no weekends
    ...     no holidays
    ... '''))
    1,3,5,7 at 9-21; balance 1,3,payday at 18-21; no weekends; no holidays

    What is wrong is said with its place:

    >>> try: parse_dunning("1,3; balance 3,1")
    ... except InvalidDunning as refused: print(refused.reason)
    in 'balance 3,1': each day must be at least 1 and later than the one before
    """
    if len(text) > LONGEST_TEXT:
        raise InvalidDunning(text, f"it is longer than {LONGEST_TEXT} characters")
    (place, first), *others = _clauses(text)
    with _refused_at(text, place):
        rule = _rule(first)
    values: dict[str, Any] = {"days": rule.days, "then_paydays": rule.paydays, "hours": rule.hours}
    own: dict[DunningKind, DunningRule] = {}
    for place, clause in others:
        with _refused_at(text, place):
            _read_clause(clause, values, own)
    with _refused_at(text, ""):
        return DunningCalendar(own=tuple((kind, own[kind]) for kind in DunningKind if kind in own), **values)


@contextmanager
def _refused_at(text: str, place: str) -> Iterator[None]:
    """Let what is refused say where in a text it stands."""
    try:
        yield
    except InvalidDunning as refused:
        raise InvalidDunning(text, f"{place}{refused.reason}") from None


def _clauses(text: str) -> list[tuple[str, str]]:
    """Return the clauses of a text, each with how a complaint about it begins."""
    lines = text.strip().splitlines()
    parts = [(number, part.strip()) for number, line in enumerate(lines, 1) for part in line.split(";") if part.strip()]
    if len(parts) <= 1:
        return [("", parts[0][1] if parts else "")]
    return [
        (f"line {number}, {part!r:.60}: " if len(lines) > 1 else f"in {part!r:.60}: ", part) for number, part in parts
    ]


def _read_clause(clause: str, values: dict[str, Any], own: dict[DunningKind, DunningRule]) -> None:
    words = clause.lower().split()
    match words:
        case [kind, *rest] if kind in set(DunningKind):
            _once(DunningKind(kind) in own, kind, clause)
            own[DunningKind(kind)] = _rule(" ".join(rest))
        case ["no", "weekends" | "holidays" as days]:
            _once(days in values, f"no {days}", clause)
            values[days] = False
        case ["paydays", *days]:
            _once("paydays" in values, "paydays", clause)
            values["paydays"] = _numbers("".join(days), clause, "days of the month, such as 'paydays 10,25'")
        case ["tries", *rest]:
            _once("tries_a_month" in values, "tries", clause)
            values["tries_a_month"] = _tries(rest, clause)
        case _:
            said = "days are whole numbers, separated by commas"
            raise InvalidDunning(clause, f"after the days, a clause begins with {_CLAUSES}; {said}")


def _once(there_already: object, what: str, clause: str) -> None:
    if there_already:
        raise InvalidDunning(clause, f"{what} is there twice")


def _rule(text: str) -> DunningRule:
    """Return the days and hours in `1,3,payday at 10-20`."""
    said, *hours = re.split(r"\s+at\s+", text.strip().lower())
    if len(hours) > 1:
        raise InvalidDunning(text, "hours are there twice")
    days = [] if said == NO_RETRY else [word.strip() for word in said.split(",")]
    paydays = sum(word == PAYDAY for word in days)
    if PAYDAY in days[: len(days) - paydays]:
        raise InvalidDunning(text, f"a number cannot follow {PAYDAY}, which comes after all of them")
    numbers = tuple(days[: len(days) - paydays])
    expected = f"whole numbers of days, separated by commas, and then {PAYDAY}, or {NO_RETRY}"
    read = _numbers(",".join(numbers), text, expected) if numbers else ()
    return DunningRule(read, paydays, _hours(hours[0], text) if hours else None)


def _hours(text: str, clause: str) -> TryHours:
    found = re.fullmatch(r"([0-9]{1,2})(?:\s*-\s*([0-9]{1,2}))?", text.strip())
    if found is None:
        raise InvalidDunning(clause, "hours are written 'at 10-20', or 'at 11'")
    return TryHours(int(found[1]), int(found[2]) if found[2] else int(found[1]) + 1)


def _tries(words: list[str], clause: str) -> int:
    match words:
        case [number, "a", "month"] if re.fullmatch(r"[0-9]{1,3}", number):
            return int(number)
        case _:
            raise InvalidDunning(clause, "it is written 'tries 4 a month'")


def _numbers(text: str, clause: str, expected: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    if not all(re.fullmatch(r"-?[0-9]{1,9}", word) for word in words):
        raise InvalidDunning(clause, f"it must be {expected}")
    return tuple(int(word) for word in words)
