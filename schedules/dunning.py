"""Dunning calendars: after which days, at which hours and on which days a declined charge is tried again.

A plan has one, as a text: docs/dunning.md. When the next try is, `dunning_tries` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from schedules.errors import InvalidDunning

LATEST_DAY = 60  # days after the first decline; later the next periods are overdue too
NO_RETRY = "none"
PAYDAY = "payday"
USUAL_PAYDAYS = (10, 25)  # days of the month on which most Korean companies pay wages
LAST_DAY_OF_MONTH = 31
MOST_TRIES_A_MONTH = 99
NO_WEEKENDS, NO_HOLIDAYS = "no weekends", "no holidays"

UNMATCHED_RETRIES = 2
"""Retries after a decline that no table classifies: it may be final, so the whole calendar would be too many."""

QUOTA_TIME_ZONE = ZoneInfo("Asia/Seoul")
"""Time zone in which PGs count a key's charges of a month (assumed)."""


class DunningKind(StrEnum):
    """What a decline was for, where a calendar may have days of its own for it."""

    BALANCE = "balance"  # the account holds too little: it is filled on a payday
    LIMIT = "limit"  # of a day or a month, which passes by itself
    UNMATCHED = "unmatched"  # no table and no rule knows the words


@dataclass(frozen=True)
class TryHours:
    """The local hours in which tries fall due: from `first` o'clock to before `until` o'clock."""

    first: int
    until: int

    def __post_init__(self) -> None:
        if not 0 <= self.first < self.until <= 24:
            reason = (
                "hours are two whole hours of one day, the second later, such as 'at 10-20', or one, such as 'at 11'"
            )
            raise InvalidDunning(str(self), reason)

    def __str__(self) -> str:
        return str(self.first) if self.until == self.first + 1 else f"{self.first}-{self.until}"

    def __contains__(self, hour: int) -> bool:
        return self.first <= hour < self.until


@dataclass(frozen=True)
class DunningRule:
    """The days, counted from the first decline of a charge, on which it is tried again, and then so many paydays."""

    days: tuple[int, ...] = ()
    paydays: int = 0
    hours: TryHours | None = None  # None: those of the whole calendar, or the plan's hour

    def __post_init__(self) -> None:
        if not all(earlier < later for earlier, later in pairwise((0, *self.days))):
            raise InvalidDunning(str(self), "each day must be at least 1 and later than the one before")
        if self.days and self.days[-1] > LATEST_DAY:
            raise InvalidDunning(str(self), f"no day may be later than {LATEST_DAY}")

    @property
    def tries(self) -> int:
        return len(self.days) + self.paydays

    def __str__(self) -> str:
        days = ",".join([*map(str, self.days), *[PAYDAY] * self.paydays]) or NO_RETRY
        return days if self.hours is None else f"{days} at {self.hours}"


@dataclass(frozen=True)
class DunningCalendar:
    """When a declined charge is tried again: the days of every decline, and those of a kind that has its own.

    Days alone are kept as they stand. With anything more, the calendar ends before the next period's charge, and a day
    that it keeps off moves to the next one that it does not.
    """

    days: tuple[int, ...]
    then_paydays: int = 0
    hours: TryHours | None = None
    own: tuple[tuple[DunningKind, DunningRule], ...] = ()
    weekends: bool = True
    holidays: bool = True
    paydays: tuple[int, ...] = USUAL_PAYDAYS
    tries_a_month: int | None = None  # with one billing key

    def __post_init__(self) -> None:
        kinds = [kind for kind, _ in self.own]
        if kinds != [kind for kind in DunningKind if kind in kinds]:
            raise ValueError(f"Kinds with days of their own stand once each, in their order, and not as in {kinds}.")
        if reason := next(_objections(self), None):
            raise InvalidDunning(str(self), reason)

    def __str__(self) -> str:
        return "; ".join(
            filter(
                None,
                (
                    str(DunningRule(self.days, self.then_paydays, self.hours)),
                    *(f"{kind} {rule}" for kind, rule in self.own),
                    "" if self.weekends else NO_WEEKENDS,
                    "" if self.holidays else NO_HOLIDAYS,
                    "" if self.paydays == USUAL_PAYDAYS else f"paydays {','.join(map(str, self.paydays))}",
                    "" if self.tries_a_month is None else f"tries {self.tries_a_month} a month",
                ),
            )
        )

    @property
    def is_plain(self) -> bool:
        """Return whether it is days and nothing else."""
        more = (self.then_paydays, self.hours, self.own, self.tries_a_month)
        return self.weekends and self.holidays and not any(more)

    @property
    def rules(self) -> tuple[DunningRule, ...]:
        """Return the rule of every decline, and those of kinds that have their own."""
        return (DunningRule(self.days, self.then_paydays, self.hours), *(rule for _, rule in self.own))

    def rule_of(self, kind: DunningKind | None) -> DunningRule:
        """Return the days for a kind of decline, with their hours.

        >>> calendar = DunningCalendar((1, 3, 5), own=((DunningKind.BALANCE, DunningRule((1,), paydays=2)),))
        >>> for kind in (None, DunningKind.BALANCE, DunningKind.LIMIT, DunningKind.UNMATCHED):
        ...     print(calendar.rule_of(kind))
        1,3,5
        1,payday,payday
        1,3,5
        1,3
        """
        own = dict(self.own).get(kind) if kind is not None else None
        if own is not None:
            return DunningRule(own.days, own.paydays, own.hours or self.hours)
        if kind is not DunningKind.UNMATCHED:
            return self.rules[0]
        days = self.days[:UNMATCHED_RETRIES]
        return DunningRule(days, min(self.then_paydays, UNMATCHED_RETRIES - len(days)), self.hours)


def longest_wait(paydays: tuple[int, ...]) -> int:
    """Return the most days from one payday to the next.

    >>> longest_wait((10, 25)), longest_wait((25,))
    (16, 31)
    """
    return max(later - earlier for earlier, later in pairwise((*paydays, paydays[0] + LAST_DAY_OF_MONTH)))


def _objections(calendar: DunningCalendar) -> Iterator[str]:
    """Yield why a calendar cannot be kept, though each of its rules could."""
    steps = pairwise((0, *calendar.paydays, LAST_DAY_OF_MONTH + 1))
    if not calendar.paydays or not all(earlier < later for earlier, later in steps):
        last = f"{LAST_DAY_OF_MONTH} (its last day)"
        yield f"paydays are days of the month from 1 to {last}, each later than the one before"
        return
    for rule in calendar.rules:
        last_day = rule.days[-1] if rule.days else 0
        if rule.paydays and last_day + rule.paydays * longest_wait(calendar.paydays) > LATEST_DAY:
            yield f"the last payday of '{rule}' may come later than {LATEST_DAY} days after the first decline"
    if calendar.paydays != USUAL_PAYDAYS and not any(rule.paydays for rule in calendar.rules):
        yield f"paydays are given, and no days name one: write for example '1,3,{PAYDAY}'"
    if calendar.tries_a_month is not None and not 1 <= calendar.tries_a_month <= MOST_TRIES_A_MONTH:
        yield f"tries a month must be from 1 to {MOST_TRIES_A_MONTH}"
    if not calendar.is_plain and not any(rule.tries for rule in calendar.rules):
        yield f"no try is left in it; that is written as '{NO_RETRY}' alone"


DEFAULT_DUNNING = DunningCalendar((1, 3, 5, 7))
