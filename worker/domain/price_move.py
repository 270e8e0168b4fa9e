"""Moving a subscription to another version of its plan's price: whether, from when, and what it comes to. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import assert_never

from schedules.periods import next_start
from schedules.plans import Plan
from worker.domain.pricing.amounts import Amounts, times
from worker.domain.states import SubscriptionStatus

_BEFORE = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A subscription of the cohort, as far as its price is concerned."""

    status: SubscriptionStatus
    anchor_on: date
    next_charge_at: datetime | None
    paused_next_charge_at: datetime | None
    price_version: int
    quantity: int
    canceled_from: datetime | None  # by a scheduled change
    has_due_change: bool = False  # which the next tick applies: until then its terms are not known


@dataclass(frozen=True, slots=True)
class Skipped:
    """A subscription that is not moved, and why not."""

    why: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A subscription that cannot be moved though it should be, and why not."""

    why: str


@dataclass(frozen=True, slots=True)
class Moved:
    """A subscription that is moved: from which period on, and what a whole one costs before and after, in won."""

    effective_at: datetime
    before: int
    after: int

    @property
    def rises(self) -> bool:
        return self.after > self.before


def price_move(
    candidate: Candidate,
    plan: Plan,
    *,
    old: Amounts,
    new: Amounts,
    version: int,
    since: datetime,
    max_amount: int,
) -> Moved | Skipped | Failed:
    """Return from which period on a subscription has another price: the first that begins at `since` or later.

    No charge may be above `max_amount` won. A subscription that is paused or waits for its first key has it from
    `since` on, for nothing of it falls due before.
    """
    if candidate.has_due_change:
        return Failed("a change of it is about to be applied: move it again in a minute")
    if candidate.price_version == version:
        return Skipped(f"it has version {version} of the price already")
    effective_at = _effective_at(candidate, plan, since)
    if effective_at is None:
        return Skipped("it is over")
    if candidate.canceled_from is not None and candidate.canceled_from <= effective_at:
        return Skipped(f"it is canceled on {candidate.canceled_from.astimezone(plan.time_zone):%Y-%m-%d}, before that")
    before, after = (times(unit, candidate.quantity).amount for unit in (old, new))
    if after > max_amount:
        return Failed(f"AGAIN_MAX_AMOUNT allows no charge above {max_amount:,} KRW, and it would be {after:,}")
    return Moved(effective_at, before, after)


def _effective_at(candidate: Candidate, plan: Plan, since: datetime) -> datetime | None:
    match candidate.status:
        case SubscriptionStatus.CANCELED | SubscriptionStatus.ENDED:
            return None
        case SubscriptionStatus.PENDING | SubscriptionStatus.PAUSED:
            return since
        case SubscriptionStatus.TRIALING | SubscriptionStatus.ACTIVE | SubscriptionStatus.PAST_DUE:
            assert candidate.next_charge_at is not None, "a CHECK of the table: it is billed"
            if candidate.next_charge_at >= since:
                return candidate.next_charge_at
            return next_start(plan, candidate.anchor_on, after=since - _BEFORE)
        case _:
            assert_never(candidate.status)
