"""Random books: subscriptions of every cadence, what is done to them, and playing the days that a forecast is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from tests.scenarios.conftest import World
from worker.changes.prices import NewPrice, add_price
from worker.domain.changes import ChangeKind, Moment, When
from worker.domain.charge_limits import Total
from worker.domain.errors import Refused
from worker.domain.forecast import Coming, Days, Forecast, Place, day_of, days_from
from worker.domain.merchant_uid import MerchantUid, parse
from worker.domain.pricing.amounts import Amounts
from worker.forecast.asked import Asked
from worker.forecast.forecast import forecast
from worker.ledger import subscription_holds
from worker.playback.queries import coming
from worker.sandbox.rules.behaviours import Behaviour, decline, pay

PLANS: Mapping[str, Mapping[str, str]] = {
    "monthly": {},
    "at_night": {"amount": "14900", "charge_hour": "23"},
    "weekly": {"amount": "3300", "cadence": "week"},
    "daily": {"amount": "1100", "cadence": "day", "charge_hour": "0"},
    "payday": {"amount": "25000", "cadence": "cron 30 9 25 * *", "catch_up": "latest"},
    "tried": {"amount": "7700", "trial_days": "7", "catch_up": "skip"},
    "abroad": {"amount": "5500", "time_zone": "America/New_York", "cadence": "2 weeks", "max_open_charges": "1"},
}
PGS = ("kakaopay", "payco")
POOR = decline("LACK_BALANCE", "잔액이 부족합니다")
DEAD = decline("EXPIRED_CARD", "만료된 카드입니다")
STORIES = (pay(), pay(), pay(), POOR, DEAD)
NO_CHANGE: Mapping[str, Any] = {"quantity": None, "proration": None, "renewal": None, "anchor_day": None}


@dataclass(frozen=True)
class Member:
    """A subscription of a book, and what is done to it, each with the days until then."""

    plan: str
    pg: str
    starts_in: int
    story: Behaviour  # of its first charge, if that comes before the forecast
    acts: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class RandomBook:
    members: tuple[Member, ...]
    late_hours: int  # of an outage before the forecast
    first: int  # of the forecast, in days from today
    length: int


ACTS: Mapping[str, Callable[[World, str, When], object]] = {
    "cancel": lambda world, code, when: world.change(ChangeKind.CANCEL, code, when),
    "cancel_at_end": lambda world, code, _: world.change(ChangeKind.CANCEL, code, Moment.PERIOD_END),
    "pause": lambda world, code, when: world.change(ChangeKind.PAUSE, code, when),
    "pause_for_days": lambda world, code, when: world.change(
        ChangeKind.PAUSE, code, when, until=(_day(world, when) + timedelta(days=3)).isoformat()
    ),
    "other_plan": lambda world, code, when: world.change(
        ChangeKind.CHANGE_PLAN, code, when, **{**NO_CHANGE, "plan": "monthly"}
    ),
    "more": lambda world, code, _: world.change(
        ChangeKind.CHANGE_PLAN, code, Moment.PERIOD_END, **{**NO_CHANGE, "plan": None, "quantity": 3}
    ),
    "other_price": lambda world, code, _: world.change(
        ChangeKind.CHANGE_PRICE, code, Moment.PERIOD_END, version=2, agreed=True
    ),
    "other_price_later": lambda world, code, when: world.change(
        ChangeKind.CHANGE_PRICE, code, when, version=2, agreed=True
    ),
    "move": lambda world, code, when: world.change(
        ChangeKind.MOVE_RENEWAL, code, Moment.NOW, on=(_day(world, when) + timedelta(days=1)).isoformat()
    ),
    "discount": lambda world, code, _: world.change(ChangeKind.DISCOUNT, code, percent=33, periods=1),
    "free": lambda world, code, _: world.change(ChangeKind.DISCOUNT, code, percent=100, periods=2),
    "credit": lambda world, code, _: world.change(ChangeKind.CREDIT, code, amount=9_850),
    "credit_later": lambda world, code, when: world.change(ChangeKind.CREDIT, code, when, amount=1_000),
    "one_off": lambda world, code, _: world.change(ChangeKind.ONE_OFF, code, amount=1_500, name="설치비"),
    "hold": lambda world, code, _: hold(world, code),
    "lose_key": lambda world, code, _: lose_key(world, code),
}
"""What is done to a subscription, some of it on a day to come."""


def random_book(number: int) -> RandomBook:
    """Return one book of many, by its number: hypothesis alone would begin with books in which all is the same."""
    chance = Random(number)
    names = sorted(ACTS)
    members = tuple(
        Member(
            plan=chance.choice(sorted(PLANS)),
            pg=chance.choice(PGS),
            starts_in=chance.randint(-2, 9),
            story=chance.choice(STORIES),
            acts=tuple((chance.choice(names), chance.randint(1, 9)) for _ in range(chance.choice((0, 1, 1, 2)))),
        )
        for _ in range(16)
    )
    late_hours, first = chance.choice((0, 0, 30)), chance.randint(0, 1)
    return RandomBook(members, late_hours=late_hours, first=first, length=chance.randint(3, 10))


def hold(world: World, code: str) -> None:
    """Stop one subscription, as a charge limit does."""
    with world.runtime.sessions.begin() as session:
        subscription_holds.hold(session, {world.subscription(code).id: "a story"}, by="a story", now=world.now)


def lose_key(world: World, code: str) -> None:
    world.sql(
        "UPDATE billing_keys SET status = 'dead', status_at = :now WHERE id = "
        "(SELECT billing_key_id FROM subscriptions WHERE code = :code)",
        now=world.now,
        code=code,
    )


def _day(world: World, when: When) -> date:
    return when if isinstance(when, date) else day_of(world.now)


def sell(world: World) -> None:
    """Put the plans on sale, each with a second version of its price."""
    for code, terms in PLANS.items():
        plan = world.plan(code, **terms)
        new = NewPrice(Amounts(plan.amount + 1_200), None)
        add_price(world.runtime.sessions, code, new, max_amount=1_000_000, now=world.now)


def write(world: World, book: RandomBook) -> list[str]:
    """Subscribe the members of a book and do what is done to them; what is refused is left out."""
    today = day_of(world.now)
    codes = [
        world.subscribe(each.story, plan=each.plan, pg=each.pg, starts_on=today + timedelta(days=each.starts_in))
        for each in book.members
    ]
    world.tick()
    world.portone.behave(pay())  # what is tried from here on is paid
    for code, member in zip(codes, book.members, strict=True):
        for name, days in member.acts:
            with suppress(Refused):
                ACTS[name](world, code, today + timedelta(days=days))
    world.wait(hours=book.late_hours)
    return codes


def asked(world: World, first: int, length: int) -> Asked:
    day = day_of(world.now) + timedelta(days=first)
    return Asked(
        days=days_from(day, day + timedelta(days=length - 1), now=world.now),
        now=world.now,
        policy=world.runtime.change_policy,
        gate=world.runtime.settings.consent_gate,
    )


def foretold(world: World, wanted: Asked) -> tuple[Forecast, list[Coming]]:
    """Return a forecast, and each charge of it."""
    lines: list[Coming] = []
    made = forecast(world.runtime.sessions, wanted, tell=lines.append)
    return made, lines


@dataclass(frozen=True)
class Played:
    """What was paid by the sandbox's own ledger: by day, plan and PG, and by subscription."""

    totals: Mapping[Place, Total]
    charges: Counter[tuple[date, str, str, int]]


def play(world: World, until: datetime, *, every_day: bool = False) -> Played:
    """Move the clock from one instant at which something falls due to the next, with a tick at each.

    `every_day` with a tick at each midnight in Seoul, too: what the gate holds is let go then.
    """
    keys = world.portone.keys()
    pgs = {each["customer_uid"]: each["pg_provider"] for each in keys}
    position = max((_number(each) for each in _payments(world, after=0)), default=0)
    totals: dict[Place, Total] = {}
    charges: Counter[tuple[date, str, str, int]] = Counter()
    while True:
        world.tick()
        for paid in _payments(world, after=position):
            position = _number(paid)
            parts = parse(paid["merchant_uid"])
            assert isinstance(parts, MerchantUid)
            (owner,) = world.sql(
                "SELECT p.code FROM subscriptions s JOIN plans p ON p.id = s.plan_id WHERE s.code = :code",
                code=parts.subscription_code,
            )
            place = Place(day_of(world.now), owner.code, pgs[paid["customer_uid"]])
            totals[place] = totals.get(place, Total()) + Total(1, paid["amount"])
            charges[place.day, parts.subscription_code, place.plan, paid["amount"]] += 1
        with world.runtime.sessions() as session:
            next_at = coming(session, now=world.now).next_at
        if every_day:
            midnight = Days(day_of(world.now) + timedelta(days=1), date.max).since
            next_at = midnight if next_at is None else min(next_at, midnight)
        if next_at is None or next_at > until:
            return Played(totals, charges)
        world.wait(seconds=(next_at - world.now).total_seconds())


def _payments(world: World, after: int) -> list[dict[str, Any]]:
    return world.portone.payments(charged_only="true", after=after)


def _number(payment: dict[str, Any]) -> int:
    return int(payment["imp_uid"].removeprefix("imps_"))


def of_lines(lines: list[Coming]) -> Counter[tuple[date, str, str, int]]:
    """Return the charges that a forecast says will be made, as `Played` counts them."""
    return Counter(
        (day_of(each.at), code, each.plan, each.amount)
        for each in lines
        if each.held is None
        for code in each.subscriptions
    )


def end(world: World, codes: list[str]) -> None:
    """Cancel what is left of a book."""
    for code in codes:
        with suppress(Refused):
            world.change(ChangeKind.CANCEL, code, Moment.NOW)
