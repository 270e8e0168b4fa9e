"""One row of an import: what each column must be, and the subscription it becomes. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from schedules.plans import Plan
from worker.domain.customer_reference import EXPECTED as EXPECTED_REFERENCE
from worker.domain.customer_reference import is_customer_reference, normalized
from worker.domain.identifiers import masked, new_code
from worker.subscriptions.billing_keys import EXPECTED as EXPECTED_OF_KEYS
from worker.subscriptions.billing_keys import NewKey
from worker.subscriptions.csv_import.files import Row
from worker.subscriptions.start_terms import StartTerms, WrongDate, amount_objection, decide_start

REQUIRED = ("customer_reference", "plan", "customer_uid", "pg")
DATES = ("start_on", "paid_until")
COLUMNS = (*REQUIRED, "label", "channel_key", *DATES)

EXPECTED_DATE = "a date written as 2026-01-31, or nothing"

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Problem:
    """One value that is not what it must be. `value` may be shown; None when the value is missing."""

    line: int
    column: str
    value: str | None
    expected: str

    def __str__(self) -> str:
        found = "is missing" if self.value is None else f"is {self.value!r}"
        return f"line {self.line}, {self.column}: {found} but must be {self.expected}"


class WrongLength(Problem):
    """A row that has more or fewer values than the header has names."""

    def __str__(self) -> str:
        return f"line {self.line} has {self.value}, the header has {self.expected}"


class Staged(NamedTuple):
    """A good row, in the order of the staging table's columns."""

    line: int
    code: str
    customer_reference: str
    plan_id: int
    customer_uid: str
    pg: str
    channel_key: str | None
    label: str
    status: str
    anchor_on: date
    next_charge_at: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """A plan that rows may name."""

    id: int
    plan: Plan


class RowReader:
    """Reads the rows of one import, all at the same `now`."""

    def __init__(
        self, columns: Sequence[str], plans: Mapping[str, Known], *, max_amount: int, backdate: bool, now: datetime
    ) -> None:
        self._columns = columns
        self._plans = plans
        self._max_amount = max_amount
        self._backdate = backdate
        self._now = now
        self._beginnings: dict[tuple[str, date | None, date | None], StartTerms | WrongDate] = {}

    def read(self, row: Row) -> Staged | list[Problem]:
        """Turn a row into what is written, or list everything that is wrong with it."""
        if len(row.cells) != len(self._columns):
            found = "1 value" if len(row.cells) == 1 else f"{len(row.cells)} values"
            return [WrongLength(row.line, "", found, str(len(self._columns)))]
        cells = map(normalized, row.cells)
        values = dict.fromkeys(COLUMNS, "") | dict(zip(self._columns, cells, strict=True))
        key = NewKey(**{name: values[name] for name in ("customer_uid", "pg", "channel_key", "label")})
        if wrong := self._wrong(values, key):
            return [Problem(row.line, name, shown(name, values[name]), expected) for name, expected in wrong.items()]
        return self._begun(row.line, values, key)

    def _begun(self, line: int, values: Mapping[str, str], key: NewKey) -> Staged | list[Problem]:
        known = self._plans[values["plan"]]
        if objection := amount_objection(known.plan, key.pg, max_amount=self._max_amount):
            expected = f"a plan whose amount can be charged; {objection}"
            return [Problem(line, "plan", shown("plan", values["plan"]), expected)]
        start_on, paid_until = (read_date(values[name]) if values[name] else None for name in DATES)
        beginning = self._beginning(known.plan, start_on, paid_until)
        if isinstance(beginning, WrongDate):
            return [Problem(line, beginning.column, str(beginning.found), beginning.expected)]
        return Staged(
            line,
            new_code(),
            values["customer_reference"],
            known.id,
            key.customer_uid,
            key.pg,
            key.channel_key or None,
            key.label,
            beginning.status.value,
            beginning.anchor_on,
            beginning.next_charge_at,
        )

    def _wrong(self, values: Mapping[str, str], key: NewKey) -> dict[str, str]:
        """Return, for each column that is wrong by itself, what it must be."""
        wrong = {name: EXPECTED_OF_KEYS[name] for name in key.wrong}
        if not is_customer_reference(values["customer_reference"]):
            wrong["customer_reference"] = EXPECTED_REFERENCE
        if values["plan"] not in self._plans:
            wrong["plan"] = "the code of a plan that exists (`again plan list` shows them)"
        return wrong | {name: EXPECTED_DATE for name in DATES if values[name] and not _is_date(values[name])}

    def _beginning(self, plan: Plan, start_on: date | None, paid_until: date | None) -> StartTerms | WrongDate:
        """Decide once for all rows that begin alike: many thousand share a few dates."""
        alike = (plan.code, start_on, paid_until)
        if alike not in self._beginnings:
            try:
                self._beginnings[alike] = decide_start(
                    plan, start_on=start_on, paid_until=paid_until, now=self._now, backdate=self._backdate
                )
            except WrongDate as wrong:
                self._beginnings[alike] = wrong
        return self._beginnings[alike]


def read_date(text: str) -> date:
    """Read a date as 2026-01-31, and no other of the ways to write one. Raises ValueError."""
    if _DATE.fullmatch(text) is None:
        raise ValueError(text)
    return date.fromisoformat(text)


def _is_date(text: str) -> bool:
    try:
        read_date(text)
    except ValueError:
        return False
    return True


def shown(column: str, value: str) -> str | None:
    """Return a value as a message may show it: a customer_uid masked, a label not at all, and nothing long in full."""
    if not value:
        return None
    if column == "customer_uid":
        return f"{masked(value)} ({len(value)} characters)"
    if column == "label":
        return f"({len(value)} characters)"
    return value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}..."
