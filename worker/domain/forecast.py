"""Tomorrow's book: what will be charged in the days to come, summed by day, plan and PG. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import TypeVar

from dateutil.relativedelta import relativedelta

from schedules.plans import SEOUL
from worker.domain.blockers import Blocker
from worker.domain.changes import ChangeKind
from worker.domain.charge_limits import ChargeLimits, Total
from worker.domain.errors import Refused

MOST_DAYS = 92
"""How many days one forecast has at most."""

MOST_AHEAD = 366
"""How many days ahead its last day is at most."""

_INSTANT = timedelta(microseconds=1)

K = TypeVar("K")


class Mark(StrEnum):
    """What is worth knowing of a charge that will be made."""

    FIRST = "first"  # its subscription has not been charged before
    NEW_PRICE = "new_price"  # a whole period costs another amount than at the charge before
    RETRY = "retry"  # it was tried before
    CHANGE = "change"  # a change that is scheduled decides about it


@dataclass(frozen=True, slots=True)
class Days:
    """The days of a forecast, by the clocks of Seoul: the first one and the last."""

    first: date
    last: date

    @property
    def since(self) -> datetime:
        return _midnight(self.first)

    @property
    def until(self) -> datetime:
        """Return the last instant of the last day."""
        return _midnight(self.last + timedelta(days=1)) - _INSTANT

    @property
    def month_before(self) -> Days:
        """Return the same days of the month before, of which the month's end may cut some."""
        return Days(a_month_before(self.first), a_month_before(self.last))

    def each(self) -> Sequence[date]:
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]


def days_from(first: date | None, last: date | None, *, now: datetime) -> Days:
    """Return the days of a forecast: tomorrow, or from the first day on that is given.

    Raises Refused for days that are over, in the wrong order or too many.
    """
    today = day_of(now)
    first = first or min(today + timedelta(days=1), last or date.max)
    last = last or first
    if first < today:
        raise Refused(f"{first} is over: a forecast begins today, {today}, or later.")
    if last < first:
        raise Refused(f"The forecast would end on {last}, before it begins, on {first}.")
    if (last - first).days >= MOST_DAYS:
        raise Refused(f"{first} to {last} are more than {MOST_DAYS} days, the most that one forecast has.")
    if (last - today).days > MOST_AHEAD:
        raise Refused(f"{last} is more than {MOST_AHEAD} days ahead, further than a forecast looks.")
    return Days(first, last)


def day_of(at: datetime) -> date:
    """Return the day of an instant, by the clocks of Seoul."""
    return at.astimezone(SEOUL).date()


def a_month_before(day: date) -> date:
    """Return the same day of the month before, or its last one.

    >>> a_month_before(date(2026, 3, 31)).isoformat()
    '2026-02-28'
    """
    return day - relativedelta(months=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """A charge that will be made, or is held, at an instant: the same for each of some subscriptions. KRW.

    `pg` is empty where there is no billing key, and `held` says what keeps it from being made.
    """

    at: datetime
    plan: str
    pg: str
    amount: int  # of each
    period_start: datetime
    subscriptions: Sequence[str]  # by their codes
    marks: Collection[Mark] = ()
    held: Blocker | None = None

    @property
    def total(self) -> Total:
        return Total(len(self.subscriptions), self.amount * len(self.subscriptions))


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """What sums are made by."""

    day: date
    plan: str
    pg: str


@dataclass(slots=True)
class Forecast:
    """What will be charged in some days, what is held then, and what was paid on the same days a month before.

    `marked` counts charges once for each mark that they have. `changes` counts the changes that take effect until then,
    and `unreadable` the subscriptions that cannot be billed, as their plan cannot be read.
    """

    days: Days
    at: datetime  # as things stood then
    charges: dict[Place, Total] = field(default_factory=lambda: defaultdict(Total))
    held: dict[tuple[date, Blocker], Total] = field(default_factory=lambda: defaultdict(Total))
    marked: dict[Mark, Total] = field(default_factory=lambda: defaultdict(Total))
    before: Mapping[Place, Total] = field(default_factory=dict)
    changes: Mapping[ChangeKind, int] = field(default_factory=Counter)
    unreadable: int = 0
    largest: int = 0  # of the charges that will be made

    def add(self, coming: Coming) -> None:
        day = day_of(coming.at)
        if coming.held is not None:
            self.held[day, coming.held] += coming.total
            return
        self.charges[Place(day, coming.plan, coming.pg)] += coming.total
        self.largest = max(self.largest, coming.amount)
        for mark in coming.marks:
            self.marked[mark] += coming.total

    @property
    def total(self) -> Total:
        return sum(self.charges.values(), Total())

    @property
    def total_before(self) -> Total:
        return sum(self.before.values(), Total())

    @property
    def by_day(self) -> Sequence[tuple[date, Total, Total]]:
        """Return each day with its total and that of the same day a month before."""
        coming, before = _sums(self.charges, _day), _sums(self.before, _day)
        return [(day, coming.get(day, Total()), before.get(a_month_before(day), Total())) for day in self.days.each()]

    @property
    def by_plan(self) -> Sequence[tuple[str, Total, Total]]:
        return self._compared(lambda place: place.plan)

    @property
    def by_pg(self) -> Sequence[tuple[str, Total, Total]]:
        return self._compared(lambda place: place.pg)

    @property
    def held_by(self) -> Mapping[Blocker, Total]:
        """Return what is held, by what holds it, in the order in which blockers are named."""
        sums: dict[Blocker, Total] = defaultdict(Total)
        for (_, blocker), total in self.held.items():
            sums[blocker] += total
        return {blocker: sums[blocker] for blocker in Blocker if blocker in sums}

    def exceeded(self, limits: ChargeLimits) -> Sequence[str]:
        """Return what the charge limits will stop: by day and PG, and what is too much for one charge."""
        sums = _sums(self.charges, lambda place: (place.day, place.pg))
        said = [each for (day, pg), total in sorted(sums.items()) for each in _over(limits, day, pg, total)]
        if self.largest > limits.amount:
            said.append(f"AGAIN_MAX_AMOUNT allows {limits.amount:,} KRW, and one charge comes to {self.largest:,} KRW")
        return said

    def _compared(self, key: Callable[[Place], str]) -> Sequence[tuple[str, Total, Total]]:
        coming, before = _sums(self.charges, key), _sums(self.before, key)
        return [(each, coming.get(each, Total()), before.get(each, Total())) for each in sorted({*coming, *before})]


def _sums(totals: Mapping[Place, Total], key: Callable[[Place], K]) -> dict[K, Total]:
    sums: dict[K, Total] = defaultdict(Total)
    for place, total in totals.items():
        sums[key(place)] += total
    return sums


def _over(limits: ChargeLimits, day: date, pg: str, total: Total) -> Iterator[str]:
    if total.charges > limits.day_charges:
        yield f"AGAIN_MAX_DAY_CHARGES allows {limits.day_charges:,} of one PG, and {pg} has {total.charges:,} on {day}"
    if total.amount > limits.day_sum:
        yield f"AGAIN_MAX_DAY_SUM allows {limits.day_sum:,} KRW of one PG, and {pg} has {total.amount:,} KRW on {day}"


def _day(place: Place) -> date:
    return place.day


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), SEOUL)
