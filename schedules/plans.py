"""Plans: how much, how often, in which time zone, and what happens to late and declined charges.

Every Plan that exists can be billed: its rules are in `plan_rules`, and InvalidPlan lists all that are broken.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from typing import Any, Self
from zoneinfo import ZoneInfo

from schedules.cadences import Cadence, parse_cadence
from schedules.dunning import DEFAULT_DUNNING, DunningCalendar
from schedules.dunning_text import parse_dunning
from schedules.end_of_dunning import ALL_ARREARS, ArrearsPolicy, DunningEnd, GivenUpAs, parse_arrears
from schedules.errors import InvalidTerm
from schedules.notices import PlanNotices, parse_notices
from schedules.plan_rules import EXPECTED, Problem, problems_in

SEOUL = ZoneInfo("Asia/Seoul")
DEFAULT_MAX_OPEN_CHARGES = 3
NO_NOTICES = PlanNotices()


class CatchUp(StrEnum):
    """What happens to periods that began while nothing was charging. Those not charged become void charges."""

    ALL = "all"  # each is charged
    LATEST = "latest"  # only the newest that has started is charged
    SKIP = "skip"  # none that was missed is charged


class GateMode(StrEnum):
    """What becomes of a charge that lacks a consent or a message which the consent gate wants."""

    STRICT = "strict"  # it is held until that is there
    WARN = "warn"  # it is charged, and what was lacking is noted
    OFF = "off"  # it is charged


class InvalidPlan(ValueError):
    """A plan that cannot be billed, with every invalid field."""

    def __init__(self, code: object, problems: tuple[Problem, ...]) -> None:
        super().__init__(code, problems)
        self.code = code
        self.problems = problems

    def __str__(self) -> str:
        count = "a problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        listed = "; ".join(map(str, self.problems))
        return f"Plan {self.code!r:.60} has {count}: {listed}. Correct this and try again."


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The terms of every subscription on it; amounts are whole won, `tax_free` and `vat_amount` are parts of `amount`.

    With `vat_amount` None, PortOne calculates the VAT: an eleventh of the amount (documented for a `tax_free` of 0).
    `charge_hour` is local; with a cron cadence, which has its own times, it applies to retries only. While
    `max_open_charges` are unpaid, later periods are not owed until one is paid or the key is replaced. `dunning_end`
    and what follows it say how dunning ends: docs/end-of-dunning.md. Raises InvalidPlan with all problems at once.
    """

    code: str
    name: str  # the order name customers see at their card company
    amount: int
    tax_free: int = 0
    vat_amount: int | None = None
    currency: str = "KRW"
    cadence: Cadence
    time_zone: ZoneInfo = SEOUL
    charge_hour: int = 10
    trial_days: int = 0
    catch_up: CatchUp = CatchUp.ALL
    dunning: DunningCalendar = DEFAULT_DUNNING
    max_open_charges: int = DEFAULT_MAX_OPEN_CHARGES
    dunning_end: DunningEnd = DunningEnd.LEAVE
    dunning_end_charges: GivenUpAs = GivenUpAs.UNCOLLECTIBLE
    key_deadline_days: int | None = None  # to replace a dead key; None: for ever
    grace_days: int = 0  # of access beyond what is paid
    arrears: ArrearsPolicy = ALL_ARREARS
    notices: PlanNotices = NO_NOTICES
    gate: GateMode | None = None  # of the consent gate; None: the deployment's

    def __post_init__(self) -> None:
        if isinstance(self.name, str):
            object.__setattr__(self, "name", _order_name(self.name))
        values = {field: getattr(self, field) for field in EXPECTED}
        if problems := problems_in(values):
            raise InvalidPlan(self.code, problems)

    @classmethod
    def parse(cls, texts: Mapping[str, str]) -> Self:
        """Return a plan from texts, as on the command line and in CSV files; absent or empty ones take the defaults.

        Raises InvalidPlan with all problems at once: unreadable, missing and unknown fields, and broken rules.
        """
        given = {field: text.strip() for field, text in texts.items() if text.strip()}
        values, unreadable = _read(given)
        if problems := (*_missing_in(given), *unreadable, *problems_in(values)):
            raise InvalidPlan(given.get("code", ""), problems)
        return cls(**values)


def _missing_in(given: Mapping[str, str]) -> list[Problem]:
    required = [field.name for field in fields(Plan) if field.default is MISSING]
    return [Problem(field, None, EXPECTED[field]) for field in required if field not in given]


def _read(given: Mapping[str, str]) -> tuple[dict[str, Any], list[Problem]]:
    """Return the value of each readable text, and a problem for each other one."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for field, text in given.items():
        try:
            values[field] = _READERS[field](text)
        except InvalidTerm as refused:
            problems.append(Problem(field, text, f"{EXPECTED[field]} ({refused.reason})"))
        except (ValueError, OSError, LookupError):
            problems.append(Problem(field, text, EXPECTED.get(field, f"left out; a plan has {', '.join(EXPECTED)}")))
    return values, problems


def _whole(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,12}", text):
        raise ValueError(text)
    return int(text)


def _whole_or_none(text: str) -> int | None:
    return None if text.lower() == "none" else _whole(text)


def _gate(text: str) -> GateMode | None:
    return None if text.lower() == "none" else GateMode(text.lower())


def _order_name(text: str) -> str:
    """Return a name in NFC: macOS decomposes Korean syllables, and each has to count as one character."""
    return unicodedata.normalize("NFC", text)


def _time_zone(text: str) -> ZoneInfo:
    """Return the zone of a name. Raises OSError for a folder's name, LookupError or ValueError for an unknown one."""
    if text == "localtime":
        raise ValueError(text)  # the machine's own zone, which differs between machines
    return ZoneInfo(text)


_READERS: Mapping[str, Callable[[str], object]] = {
    "code": str,
    "name": _order_name,
    "amount": _whole,
    "tax_free": _whole,
    "vat_amount": _whole_or_none,
    "currency": str.upper,
    "cadence": parse_cadence,
    "time_zone": _time_zone,
    "charge_hour": _whole,
    "trial_days": _whole,
    "catch_up": lambda text: CatchUp(text.lower()),
    "dunning": parse_dunning,
    "max_open_charges": _whole,
    "dunning_end": lambda text: DunningEnd(text.lower()),
    "dunning_end_charges": lambda text: GivenUpAs(text.lower()),
    "key_deadline_days": _whole_or_none,
    "grace_days": _whole,
    "arrears": parse_arrears,
    "notices": parse_notices,
    "gate": _gate,
}
