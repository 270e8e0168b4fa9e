"""A book to be simulated: what is sold, to how many, and how customers behave, as chances. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from schedules.dunning import DunningCalendar
from schedules.plans import Plan

MOST_SUBSCRIPTIONS = 20_000
"""Of one book; more would take hours."""

KAKAOPAY, PAYCO, CARD = "kakaopay", "payco", "kcp_billing"


@dataclass(frozen=True, slots=True)
class PlanShare:
    """A plan, and how many subscriptions to it there are at the start."""

    plan: Plan
    subscriptions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How customers behave. A chance is one customer's in one period, from 0 to 1."""

    pgs: Mapping[str, int] = field(default_factory=lambda: {KAKAOPAY: 50, PAYCO: 20, CARD: 30})  # weights
    low_balance: float = 0.03  # the account is empty when the charge comes, and until a payday
    paydays: tuple[int, ...] = (10, 25)  # days of the month
    filled_on_payday: float = 0.8  # the account is filled on the next one; otherwise on a later one, by the same chance
    over_limit: float = 0.01  # the card is over its limit when the charge comes
    over_limit_days: int = 14  # for so many days at most
    dead_key: float = 0.003  # the card has expired, or was reported lost
    key_replaced: float = 0.6  # another one is registered
    key_replaced_days: int = 7  # after so many days at most
    lost_answer: float = 0.001  # the connection breaks after the money has moved
    canceled: float = 0.01  # the customer cancels, for the end of the period
    refunded: float = 0.003  # what was paid is refunded, within a week
    refunded_days: int = 7


@dataclass(frozen=True, slots=True)
class Book:
    """Who is charged, and how they behave."""

    plans: tuple[PlanShare, ...]
    habits: Habits

    @property
    def subscriptions(self) -> int:
        return sum(share.subscriptions for share in self.plans)

    def with_dunning(self, calendar: DunningCalendar) -> Book:
        """Return the same book with another dunning calendar on every plan."""
        plans = tuple(replace(share, plan=replace(share.plan, dunning=calendar)) for share in self.plans)
        return replace(self, plans=plans)


_USUAL = {"cadence": "month", "dunning_end": "cancel", "key_deadline_days": "14"}
_LETTER = Plan.parse({"code": "letter", "name": "아침 편지 월간", "amount": "9900", **_USUAL})
_COFFEE = Plan.parse({"code": "coffee", "name": "원두 정기배송", "amount": "18000", **_USUAL})


def usual_book(subscriptions: int) -> Book:
    """Return a book of so many monthly subscriptions to two plans, seven of ten to the cheaper one."""
    coffee = subscriptions * 3 // 10
    shares = (PlanShare(_LETTER, subscriptions - coffee), PlanShare(_COFFEE, coffee))
    return Book(tuple(share for share in shares if share.subscriptions), Habits())
