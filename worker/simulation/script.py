"""What each customer does and when, drawn from the seed before anything is charged. Pure.

Nothing here knows what Again does: an account is empty until its payday, however often it is charged until then. So two
dunning calendars meet the same customers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from random import Random

from schedules.periods import first_start, next_start
from schedules.plans import SEOUL, Plan
from worker.simulation.book import Book, Habits

ACT_AT = time(9)
"""When customers do something, in Seoul: before the usual hour of charges, and once a day."""

FIRST_DAYS = 28
"""The subscriptions of a book begin on as many days, about as many on each."""

MOST_PAYDAYS = 12
"""After which an empty account is filled anyway."""


class Deed(StrEnum):
    """What a customer's key or the customer does."""

    EMPTIES = "empties"  # no balance from now on
    EXCEEDS = "exceeds"  # over the limit from now on
    DIES = "dies"  # expired or lost, for good
    LOSES = "loses"  # the answer to its next charge is lost
    PAYS = "pays"  # again
    REPLACES = "replaces"
    CANCELS = "cancels"
    REFUNDS = "refunds"


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer with one subscription, whose first period begins on a day."""

    number: int
    plan: Plan
    pg: str
    start_on: date

    @property
    def reference(self) -> str:
        return f"customer-{self.number:05d}"

    def customer_uid(self, key: int) -> str:
        """Return the customer_uid of the customer's key of a number, counted from 0."""
        return f"simulated-{self.number:05d}-{key}"


@dataclass(frozen=True, slots=True)
class Act:
    """One deed of one customer at one time."""

    at: datetime
    customer: int
    deed: Deed


def cast(book: Book, *, seed: int, start_on: date) -> tuple[Customer, ...]:
    """Return the customers of a book; those of one plan begin on one day after the other."""
    customers: list[Customer] = []
    pgs, weights = list(book.habits.pgs), list(book.habits.pgs.values())
    for share in book.plans:
        for place in range(share.subscriptions):
            number = len(customers)
            pg = _random(seed, "pg", number).choices(pgs, weights)[0]
            begins_on = start_on + timedelta(days=place * FIRST_DAYS // share.subscriptions)
            customers.append(Customer(number, share.plan, pg, begins_on))
    return tuple(customers)


def script(customer: Customer, habits: Habits, *, seed: int, until: datetime) -> Iterator[Act]:
    """Yield what a customer does until an instant, in no order. Each period is drawn by itself, by seed and number."""
    anchor_on = customer.start_on + timedelta(days=customer.plan.trial_days)
    start, period, well_from, leaves = first_start(customer.plan, anchor_on), 0, date.min, False
    while start < until and not leaves:
        end = next_start(customer.plan, anchor_on, after=start)
        random = _random(seed, "period", customer.number, period)
        on, ends_on = (each.astimezone(SEOUL).date() for each in (start, end))
        deeds = [*_wishes(habits, random, on, ends_on)]
        if on - timedelta(days=1) > well_from:  # or what was amiss before still is
            trouble = [*_trouble(habits, random, on)]
            well_from = (
                max((day for deed, day in trouble if deed in _CURES), default=date.max) if trouble else well_from
            )
            deeds += trouble
        leaves = any(deed is Deed.CANCELS for deed, _ in deeds)
        for deed, day in deeds:
            yield Act(datetime.combine(day, ACT_AT, SEOUL), customer.number, deed)
        start, period = end, period + 1


_CURES = frozenset({Deed.PAYS, Deed.REPLACES})


def _wishes(habits: Habits, random: Random, on: date, ends_on: date) -> Iterator[tuple[Deed, date]]:
    """Yield what a customer wants in a period, from the day of its charge to its end."""
    leaves, wants_back = random.random(), random.random()
    days = max(1, (ends_on - on).days - 1)
    if leaves < habits.canceled:
        yield Deed.CANCELS, on + timedelta(days=random.randint(1, days))
    if wants_back < habits.refunded:
        yield Deed.REFUNDS, on + timedelta(days=random.randint(1, min(habits.refunded_days, days)))


def _trouble(habits: Habits, random: Random, on: date) -> Iterator[tuple[Deed, date]]:
    """Yield what is amiss with a key on the eve of a charge, and when it is well again."""
    draw, eve = random.random(), on - timedelta(days=1)
    if draw < (below := habits.low_balance):
        yield Deed.EMPTIES, eve
        yield Deed.PAYS, _filled_on(habits, random, on)
    elif draw < (below := below + habits.over_limit):
        yield Deed.EXCEEDS, eve
        yield Deed.PAYS, on + timedelta(days=random.randint(1, habits.over_limit_days))
    elif draw < (below := below + habits.dead_key):
        yield Deed.DIES, eve
        if random.random() < habits.key_replaced:
            yield Deed.REPLACES, on + timedelta(days=random.randint(1, habits.key_replaced_days))
    elif draw < below + habits.lost_answer:
        yield Deed.LOSES, eve
        yield Deed.PAYS, on + timedelta(days=1)


def _filled_on(habits: Habits, random: Random, after: date) -> date:
    """Return the payday after a day on which an empty account is filled."""
    day, paydays = after, 0
    while True:
        day += timedelta(days=1)
        if not _is_payday(habits, day):
            continue
        paydays += 1
        if random.random() < habits.filled_on_payday or paydays == MOST_PAYDAYS:
            return day


def _is_payday(habits: Habits, day: date) -> bool:
    """Return whether a day is a payday; one that a month lacks is the month's last."""
    is_last = (day + timedelta(days=1)).day == 1
    return day.day in habits.paydays or (is_last and max(habits.paydays) > day.day)


def _random(seed: int, *of: object) -> Random:
    return Random(":".join(map(str, (seed, *of))))  # noqa: S311 (reproducible on purpose)
