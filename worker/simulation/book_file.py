"""Reading a book from a TOML file. What is wrong is told with its line, all of it at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from schedules.plans import InvalidPlan, Plan
from worker.domain.errors import Refused
from worker.pg import catalog
from worker.simulation.book import MOST_SUBSCRIPTIONS, Book, Habits, PlanShare
from worker.subscriptions.start_terms import pg_objection

LARGEST = 1 << 20
"""Bytes of a file that is read; a book has some hundred."""

_HEADER = re.compile(r"\s*\[\[?\s*([A-Za-z_.]+)\s*\]\]?")
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)")
_DAYS = frozenset({"over_limit_days", "key_replaced_days", "refunded_days"})
_MOST_DAYS = 60
_ONE_OF = ("low_balance", "over_limit", "dead_key", "lost_answer")
"""Of these, one at most meets a charge."""


def read_book(path: Path) -> Book:
    """Read a book. Raises Refused for a file that cannot be read, and for one that is wrong, with every problem."""
    text = _text(path)
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = found[1] if (found := _AT_LINE.search(str(error))) else "1"
        said = _AT_LINE.sub("", str(error))
        raise Refused(f"{path}, line {line}: this is no TOML: {said}. Correct the line and try again.") from None
    reading = _Reading(text)
    book = reading.book(written)
    if book is None or reading.problems:
        problems = sorted(reading.problems)
        listed = "\n".join(f"{path}, line {line}: {said}" for line, said in problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise Refused(f"{listed}\nNothing was simulated: {count}. Correct the book and try again.")
    return book


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise Refused(f"{path} has more than {LARGEST:,} bytes: this is no book. `docs/simulate.md` shows one.")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise Refused(f"{path}, line {line}: this is no UTF-8. Save the file as UTF-8 and try again.") from None


@dataclass(frozen=True, slots=True)
class _Expected:
    """What a value must be, in words, and how it is read; None for one that is not that."""

    words: str
    read: Callable[[Any], Any]


class _Reading:
    """One book being read, and what was found wrong with it: lines and sentences."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self.problems: set[tuple[int, str]] = set()

    def book(self, written: Mapping[str, Any]) -> Book | None:
        for name in written.keys() - {"plans", "customers"}:
            self._note(("", 0, name), f"a book has no {name!r:.40}; it has [[plans]] and [customers].")
        habits = self._habits(written.get("customers", {}))
        plans = written.get("plans", [])
        if not isinstance(plans, list) or not plans or not all(isinstance(each, dict) for each in plans):
            self._note(("plans", 0, ""), "a book has at least one table [[plans]].")
            return None
        shares = [share for place, each in enumerate(plans) if (share := self._share(place, each)) is not None]
        self._compare(shares, habits, whole=len(shares) == len(plans))
        return Book(tuple(shares), habits)

    def _share(self, place: int, written: Mapping[str, Any]) -> PlanShare | None:
        count = written.get("subscriptions")
        texts = {name: _as_text(value) for name, value in written.items() if name != "subscriptions"}
        if not _is_whole(count, 1, MOST_SUBSCRIPTIONS):
            said = "is missing" if count is None else f"is {count!r:.40}"
            expected = f"a whole number from 1 to {MOST_SUBSCRIPTIONS:,}"
            self._note(("plans", place, "subscriptions"), f"subscriptions {said} but must be {expected}.")
            count = None
        try:
            plan = Plan.parse({"cadence": "month", **texts})
        except InvalidPlan as invalid:
            for problem in invalid.problems:
                self._note(("plans", place, problem.field), f"{problem}.")
            return None
        return None if count is None else PlanShare(plan, count)

    def _compare(self, shares: list[PlanShare], habits: Habits, *, whole: bool) -> None:
        """Look for plans that contradict each other or the PGs."""
        codes = [share.plan.code for share in shares]
        for place, share in enumerate(shares if whole else []):
            if share.plan.code in codes[:place]:
                self._note(("plans", place, "code"), f"the code {share.plan.code!r} is another plan's already.")
            for pg in habits.pgs:
                if objection := pg_objection(share.plan, pg):
                    self._note(("plans", place, "amount"), f"{share.plan.amount:,} KRW cannot be charged: {objection}.")
        if (total := sum(share.subscriptions for share in shares)) > MOST_SUBSCRIPTIONS:
            said = f"the plans have {total:,} subscriptions together; {MOST_SUBSCRIPTIONS:,} at most can be simulated."
            self._note(("plans", 0, "subscriptions"), said)

    def _habits(self, written: Any) -> Habits:
        if not isinstance(written, dict):
            self._note(("", 0, "customers"), "customers is a table: write [customers] and below it what they do.")
            return Habits()
        read: dict[str, Any] = {}
        for name, value in written.items():
            expected = _HABITS.get(name)
            if expected is None:
                known = ", ".join(_HABITS)
                self._note(("customers", 0, name), f"customers have no {name!r:.40}; they have {known}.")
            elif (found := expected.read(value)) is None:
                self._note(("customers", 0, name), f"{name} is {value!r:.60} but must be {expected.words}.")
            else:
                read[name] = found
        if (together := sum(read.get(name, 0) for name in _ONE_OF)) > 1:
            said = f"{', '.join(_ONE_OF)} come to {together:g}; they are 1 at most together."
            self._note(("customers", 0, ""), said)
        return Habits(**read)

    def _note(self, where: tuple[str, int, str], said: str) -> None:
        self.problems.add((_line_of(self._lines, *where), said))


def _line_of(lines: list[str], table: str, place: int, name: str) -> int:
    """Return the line of a name in the table of a place, counted from 0; that of the table if the name is not in it."""
    key = re.compile(rf'\s*"?{re.escape(name)}"?\s*=')
    inner = f"{table}.{name}".strip(".")
    current, seen, table_at = "", -1, 1
    for number, line in enumerate(lines, start=1):
        if header := _HEADER.match(line):
            current = header[1]
            if current == inner and seen in (-1, place):
                return number
            if current == table:
                seen += 1
                table_at = number if seen == place else table_at
        elif current == table and (seen == place or not table) and name and key.match(line):
            return number
    return table_at


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _chance(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= 1 else None


def _days(value: Any) -> int | None:
    return value if _is_whole(value, 1, _MOST_DAYS) else None


def _paydays(value: Any) -> tuple[int, ...] | None:
    is_list = isinstance(value, list) and value and all(_is_whole(each, 1, 31) for each in value)
    return tuple(sorted(set(value))) if is_list else None


def _pgs(value: Any) -> Mapping[str, int] | None:
    if not isinstance(value, dict) or not value or not all(_is_whole(each, 1, 1_000_000) for each in value.values()):
        return None
    return dict(value) if set(value) <= set(CHARGEABLE) else None


CHARGEABLE = tuple(pg for pg, facts in catalog.PGS.items() if facts.takes_won and not facts.charge_requires)
"""The PGs that `again` charges with what every charge has."""


def _expected_habits() -> Iterator[tuple[str, _Expected]]:
    for each in fields(Habits):
        if each.name == "pgs":
            yield each.name, _Expected(f"a table of whole numbers by PG; there are {', '.join(CHARGEABLE)}", _pgs)
        elif each.name == "paydays":
            yield each.name, _Expected("a list of days of the month such as [10, 25]", _paydays)
        elif each.name in _DAYS:
            yield each.name, _Expected(f"a whole number of days from 1 to {_MOST_DAYS}", _days)
        else:
            yield each.name, _Expected("a chance from 0 to 1, such as 0.05", _chance)


_HABITS: Mapping[str, _Expected] = dict(_expected_habits())
