"""Guards against ourselves: what charging never exceeds, whatever the rows say. What they stop, a person releases.

They are no quotas: a claim that would exceed one takes nothing at all, and what exceeds it stands still. That is the
channel, where many do together, and the subscription, where one does alone: no customer stops a channel for the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from schedules.plans import SEOUL
from worker.domain.attempt import Attempt, AttemptPlan

BY = "caps"
"""Who has stopped a channel when a cap did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """The most there may be through one PG: won, and charges. A day is one in Seoul."""

    amount: int  # of one charge
    run_charges: int
    run_sum: int
    day_charges: int
    day_sum: int
    subscription_charges_per_day: int


@dataclass(frozen=True, slots=True)
class Total:
    """So many charges, of so many won together. Each send counts: by the rows alone, each may have moved money."""

    charges: int = 0
    amount: int = 0

    def __add__(self, more: Total) -> Total:
        return Total(self.charges + more.charges, self.amount + more.amount)

    def __sub__(self, less: Total) -> Total:
        return Total(self.charges - less.charges, self.amount - less.amount)

    def __str__(self) -> str:
        return f"{self.charges:,} of {self.amount:,} KRW"


@dataclass(frozen=True, slots=True)
class Guard:
    """The caps, and what this pump run has claimed by PG."""

    caps: Caps
    run: Mapping[str, Total]


class CapExceeded(RuntimeError):
    """A claim would exceed a cap: it is rolled back, and its channel is to be stopped with this sentence."""

    def __init__(self, pg: str, sentence: str) -> None:
        super().__init__(sentence)
        self.pg = pg


class SubscriptionsExceed(RuntimeError):
    """A claim would charge subscriptions too much or too often: it is rolled back, and these alone are to be held.

    `reasons` by the subscription's id; `{code}` in them is its code.
    """

    def __init__(self, reasons: Mapping[int, str]) -> None:
        super().__init__("; ".join(reasons.values()))
        self.reasons = reasons


def totals(attempts: Iterable[Attempt | AttemptPlan]) -> dict[str, Total]:
    """Add up by PG what is claimed."""
    found: dict[str, Total] = {}
    for request in (attempt.request for attempt in attempts):
        found[request.pg] = found.get(request.pg, Total()) + Total(1, request.amount)
    return found


def day_of(now: datetime) -> tuple[date, datetime]:
    """Give the day in Seoul, and the instant at which it began."""
    midnight = now.astimezone(SEOUL).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight.date(), midnight


def hold_to_run(attempts: Sequence[AttemptPlan], guard: Guard) -> None:
    """Raise SubscriptionsExceed when single charges are too much, and CapExceeded when the run is with all of these."""
    too_much = {each.charge.subscription_id: said for each in attempts if (said := amount_exceeded(guard.caps, each))}
    if too_much:
        raise SubscriptionsExceed(too_much)
    for pg, more in totals(attempts).items():
        if sentence := run_exceeded(guard.caps, pg, guard.run.get(pg, Total()), more):
            raise CapExceeded(pg, sentence)


def amount_exceeded(caps: Caps, attempt: AttemptPlan) -> str | None:
    """Say so when one charge is above what any may be, or alone above what all of a run or a day may be."""
    own = (caps.amount, "AGAIN_MAX_AMOUNT")
    sums = ((caps.run_sum, "AGAIN_MAX_RUN_SUM"), (caps.day_sum, "AGAIN_MAX_DAY_SUM"))
    most, setting = min((own, *sums), key=lambda each: each[0])
    if attempt.request.amount <= most:
        return None
    return (
        f"{setting} allows {most:,} KRW, and charge {attempt.charge.id} is over "
        f"{attempt.request.amount:,} KRW: it is not claimed, nor is anything else of this subscription. If it is "
        "right, raise the setting and restart the workers, then `again subscription release {code}`; if not, "
        "`again subscription cancel {code}` makes it void."
    )


def run_exceeded(caps: Caps, pg: str, before: Total, more: Total) -> str | None:
    """Say so when what a pump run has claimed through a PG, and more, is too much for one run."""
    settings = (("AGAIN_MAX_RUN_CHARGES", caps.run_charges), ("AGAIN_MAX_RUN_SUM", caps.run_sum))
    return _exceeded(settings, pg, before, more, "this run")


def day_exceeded(caps: Caps, pg: str, day_on: date, before: Total, more: Total) -> str | None:
    """Say so when what all runs have claimed through a PG on one day, and more, is too much for one day."""
    settings = (("AGAIN_MAX_DAY_CHARGES", caps.day_charges), ("AGAIN_MAX_DAY_SUM", caps.day_sum))
    return _exceeded(settings, pg, before, more, f"{day_on} in Seoul")


def subscription_most(caps: Caps, amount: int) -> tuple[int, str]:
    """Return how often a subscription may be charged an amount on one day, and what says so.

    Never more than half of what a run or a day may take through its PG: no single customer uses that up.
    """
    halves = (
        (caps.run_charges // 2, "half of AGAIN_MAX_RUN_CHARGES"),
        (caps.day_charges // 2, "half of AGAIN_MAX_DAY_CHARGES"),
        (caps.run_sum // 2 // amount, "half of AGAIN_MAX_RUN_SUM"),
        (caps.day_sum // 2 // amount, "half of AGAIN_MAX_DAY_SUM"),
    )
    own = (caps.subscription_charges_per_day, "AGAIN_MAX_SUBSCRIPTION_CHARGES_PER_DAY")
    most, setting = min((own, *halves), key=lambda each: each[0])
    return max(most, 1), setting


def subscription_exceeded(caps: Caps, attempt: Attempt, charges: int) -> str | None:
    """Say so when a subscription, with the charge being claimed, would be charged too often on one day."""
    most, setting = subscription_most(caps, attempt.request.amount)
    if charges <= most:
        return None
    return (
        f"{setting} allows {most:,}, and with charge {attempt.charge.id} this subscription would have been charged "
        f"{charges:,} times today: nothing more of it is claimed. Look at it with `again charge show "
        f"{attempt.charge.id}`; if that is right, `again subscription release {{code}}` begins to count anew."
    )


def _exceeded(settings: Iterable[tuple[str, int]], pg: str, before: Total, more: Total, span: str) -> str | None:
    return next(_over(settings, pg, before, more, span), None)


def _over(settings: Iterable[tuple[str, int]], pg: str, before: Total, more: Total, span: str) -> Iterator[str]:
    after = before + more
    for (setting, most), reached, unit in zip(settings, (after.charges, after.amount), ("charges", "KRW"), strict=True):
        if reached > most:
            yield (
                f"{setting} allows {most:,} {unit}: of {span}, {before} were claimed, and {more} more were about to "
                f"be, which were not. If they are right, `again start {pg}` begins to count anew; when it stops again, "
                "raise the setting and restart the workers."
            )
