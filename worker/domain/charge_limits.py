"""Charge limits: a circuit breaker against our own faults, which an operator resets.

They are no quotas: a claim that would exceed one is rolled back whole, and what exceeds it stops. That is the
channel where many charges exceed it together, and the subscription where one does alone: no customer stops a channel
for others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from schedules.plans import SEOUL
from worker.domain.attempt import Attempt, AttemptPlan

STOPPED_BY_LIMIT = "charge limits"
"""`stops.stopped_by` and `holds.held_by` when a charge limit tripped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeLimits:
    """The most that may be charged through one PG, in won and in charges. A day is one in Seoul."""

    amount: int  # of one charge
    run_charges: int
    run_sum: int
    day_charges: int
    day_sum: int
    subscription_charges_per_day: int


@dataclass(frozen=True, slots=True)
class Total:
    """A number of charges and their sum in won. Every send counts, for each may have moved money."""

    charges: int = 0
    amount: int = 0

    def __add__(self, more: Total) -> Total:
        return Total(self.charges + more.charges, self.amount + more.amount)

    def __sub__(self, less: Total) -> Total:
        return Total(self.charges - less.charges, self.amount - less.amount)

    def __str__(self) -> str:
        return f"{self.charges:,} of {self.amount:,} KRW"


@dataclass(frozen=True, slots=True)
class LimitCheck:
    """The limits, and what this pump run has claimed, by PG."""

    limits: ChargeLimits
    claimed: Mapping[str, Total]


class LimitExceeded(RuntimeError):
    """A claim would exceed a limit: it is rolled back, and its channel is to be stopped with this message."""

    def __init__(self, pg: str, sentence: str) -> None:
        super().__init__(sentence)
        self.pg = pg


class SubscriptionLimitsExceeded(RuntimeError):
    """A claim would charge subscriptions too much or too often: it is rolled back, and only these are to be held.

    `reasons` by the subscription's id; `{code}` in them stands for its code.
    """

    def __init__(self, reasons: Mapping[int, str]) -> None:
        super().__init__("; ".join(reasons.values()))
        self.reasons = reasons


def totals(attempts: Iterable[Attempt | AttemptPlan]) -> dict[str, Total]:
    """Return the total of what is claimed, by PG."""
    found: dict[str, Total] = {}
    for request in (attempt.request for attempt in attempts):
        found[request.pg] = found.get(request.pg, Total()) + Total(1, request.amount)
    return found


def day_of(now: datetime) -> tuple[date, datetime]:
    """Return the day in Seoul, and the instant at which it began."""
    midnight = now.astimezone(SEOUL).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight.date(), midnight


def enforce_run_limits(attempts: Sequence[AttemptPlan], check: LimitCheck) -> None:
    """Raise SubscriptionLimitsExceeded for single charges that are too much, LimitExceeded for too much in one run."""
    too_much = {each.charge.subscription_id: said for each in attempts if (said := amount_exceeded(check.limits, each))}
    if too_much:
        raise SubscriptionLimitsExceeded(too_much)
    for pg, more in totals(attempts).items():
        if sentence := run_exceeded(check.limits, pg, check.claimed.get(pg, Total()), more):
            raise LimitExceeded(pg, sentence)


def amount_exceeded(limits: ChargeLimits, attempt: AttemptPlan) -> str | None:
    """Return a message if one charge exceeds what a charge, or all of a run or a day, may be; else None."""
    own = (limits.amount, "AGAIN_MAX_AMOUNT")
    sums = ((limits.run_sum, "AGAIN_MAX_RUN_SUM"), (limits.day_sum, "AGAIN_MAX_DAY_SUM"))
    most, setting = min((own, *sums), key=lambda each: each[0])
    if attempt.request.amount <= most:
        return None
    return (
        f"{setting} allows {most:,} KRW, and charge {attempt.charge.id} is over "
        f"{attempt.request.amount:,} KRW: it is not claimed, nor is anything else of this subscription. If it is "
        "right, raise the setting and restart the workers, then `again subscription release {code}`; if not, "
        "`again subscription cancel {code}` makes it void."
    )


def run_exceeded(limits: ChargeLimits, pg: str, before: Total, more: Total) -> str | None:
    """Return a message if what a pump run has claimed through a PG exceeds a run's limits with `more`; else None."""
    settings = (("AGAIN_MAX_RUN_CHARGES", limits.run_charges), ("AGAIN_MAX_RUN_SUM", limits.run_sum))
    return _exceeded(settings, pg, before, more, "this run")


def day_exceeded(limits: ChargeLimits, pg: str, day_on: date, before: Total, more: Total) -> str | None:
    """Return a message if what all runs claimed through a PG on a day exceeds its limits with `more`; else None."""
    settings = (("AGAIN_MAX_DAY_CHARGES", limits.day_charges), ("AGAIN_MAX_DAY_SUM", limits.day_sum))
    return _exceeded(settings, pg, before, more, f"{day_on} in Seoul")


def subscription_most(limits: ChargeLimits, amount: int) -> tuple[int, str]:
    """Return how often a subscription may be charged an amount on one day, and the setting that limits it.

    Never more than half of what a run or a day may charge through its PG: no single customer uses that up.
    """
    halves = (
        (limits.run_charges // 2, "half of AGAIN_MAX_RUN_CHARGES"),
        (limits.day_charges // 2, "half of AGAIN_MAX_DAY_CHARGES"),
        (limits.run_sum // 2 // amount, "half of AGAIN_MAX_RUN_SUM"),
        (limits.day_sum // 2 // amount, "half of AGAIN_MAX_DAY_SUM"),
    )
    own = (limits.subscription_charges_per_day, "AGAIN_MAX_SUBSCRIPTION_CHARGES_PER_DAY")
    most, setting = min((own, *halves), key=lambda each: each[0])
    return max(most, 1), setting


def subscription_exceeded(limits: ChargeLimits, attempt: Attempt, charges: int) -> str | None:
    """Return a message if the charge being claimed would be one too many of its subscription on one day; else None."""
    most, setting = subscription_most(limits, attempt.request.amount)
    if charges <= most:
        return None
    return (
        f"{setting} allows {most:,}, and with charge {attempt.charge.id} this subscription would have been charged "
        f"{charges:,} times today: nothing more of it is claimed. Look at it with `again charge show "
        f"{attempt.charge.id}`; if that is right, `again subscription release {{code}}` starts the count over."
    )


def _exceeded(settings: Iterable[tuple[str, int]], pg: str, before: Total, more: Total, span: str) -> str | None:
    return next(_over(settings, pg, before, more, span), None)


def _over(settings: Iterable[tuple[str, int]], pg: str, before: Total, more: Total, span: str) -> Iterator[str]:
    after = before + more
    for (setting, most), reached, unit in zip(settings, (after.charges, after.amount), ("charges", "KRW"), strict=True):
        if reached > most:
            yield (
                f"{setting} allows {most:,} {unit}: of {span}, {before} were claimed, and {more} more were about to "
                f"be, which were not. If they are right, `again start {pg}` starts the count over; when it stops again,"
                " raise the setting and restart the workers."
            )
