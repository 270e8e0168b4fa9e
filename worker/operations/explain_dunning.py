"""Which tries a dunning calendar has left for a charge, and why each is when it is, in words.

The dates come from the function that a settlement asks (`worker/domain/retry_policy.py::dunning_after`): each further
try is taken to be declined as it falls due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from schedules.dunning import DunningKind
from schedules.dunning_days import Step, Why
from schedules.dunning_tries import NextTry
from schedules.periods import next_start
from schedules.plans import Plan
from worker.domain.attempt import RetryTerms
from worker.domain.retry_policy import dunning_after
from worker.domain.states import ChargeStatus, WaitReason
from worker.operations.dunning_queries import DunnedCharge


@dataclass(frozen=True, slots=True)
class ExplainedTry:
    """A try, by how many declines came before it, and why it is then; `at` is None where there is none."""

    number: int
    at: datetime | None
    why: str
    steps: tuple[Step, ...] = ()


def tries_of_plan(plan: Plan, kind: DunningKind | None, declined_at: datetime) -> list[ExplainedTry]:
    """Return the tries after a first decline of a period's charge, which was made when the period began."""
    retry = RetryTerms(
        dunning=plan.dunning,
        time_zone=plan.time_zone,
        charge_hour=plan.charge_hour,
        period_end=next_start(plan, declined_at.astimezone(plan.time_zone).date(), after=declined_at),
        tried_at=(declined_at,),
    )
    return list(_tries_left(retry, kind, declined_at))


def tries_of_charge(charge: DunnedCharge, kind: DunningKind | None, *, now: datetime) -> tuple[str, list[ExplainedTry]]:
    """Return where a charge stands, in a sentence, and its tries from now on; `kind` is for declines to come."""
    if charge.status in (ChargeStatus.PAID, ChargeStatus.VOID):
        return f"It is {charge.status}; it has no further try.", []
    if charge.status is ChargeStatus.PAST_DUE and charge.next_attempt_at is None:
        return "It waits for another billing key, so no day counts.", []
    by_calendar = _by_calendar(charge)
    if charge.status is ChargeStatus.UNCOLLECTIBLE:
        is_spent = by_calendar and by_calendar[0].at is None
        why = "its calendar has no further try" if is_spent else "it was written off, or dunning had ended"
        return f"It is given up: {why}.", by_calendar if is_spent else []
    if by_calendar and by_calendar[0].at == charge.next_attempt_at:
        return "It was declined, and is tried again by its calendar.", by_calendar
    at = charge.next_attempt_at or now
    first = ExplainedTry(charge.retry.declines, at, _WAITS.get(charge.wait_reason, "tried now, whatever its calendar"))
    following = _tries_left(charge.retry, kind or charge.kind, at)
    return "Its next try is not by its calendar; should it be declined, the calendar's follow.", [first, *following]


def _by_calendar(charge: DunnedCharge) -> list[ExplainedTry]:
    """Return the tries that followed the last decline by the calendar, and those to come; none without a decline."""
    if charge.last_declined_at is None or not charge.retry.declines:
        return []
    is_first = charge.retry.declines == 1
    before = replace(
        charge.retry,
        declines=charge.retry.declines - 1,
        first_declined_at=None if is_first else charge.retry.first_declined_at,
    )
    return list(_tries_left(before, charge.kind, charge.last_declined_at))


def _tries_left(retry: RetryTerms, kind: DunningKind | None, declined_at: datetime) -> Iterator[ExplainedTry]:
    """Yield the tries that follow a decline at an instant, of a kind as all later ones are; the last one is none.

    `retry` is as before that decline, but for `tried_at`, which has its try too.
    """
    following = dunning_after(retry, kind, declined_at)
    while following.at is not None:
        yield _explained(retry, following)
        retry = replace(
            retry,
            declines=retry.declines + 1,
            first_declined_at=retry.first_declined_at or declined_at,
            tried_at=(*retry.tried_at, following.at),
        )
        following = dunning_after(retry, kind, following.at)
    yield _explained(retry, following)


def _explained(terms: RetryTerms, following: NextTry) -> ExplainedTry:
    return ExplainedTry(terms.declines + 1, following.at, in_words(following.steps), following.steps)


def in_words(steps: tuple[Step, ...]) -> str:
    """Return why a try is when it is.

    >>> in_words((Step(Why.DAY, date(2026, 2, 14), "1"), Step(Why.WEEKEND, date(2026, 2, 14))))
    'day 1; not on Sat 14 Feb: weekend'
    """
    return "; ".join(_WORDS[step.why](step) for step in steps)


def _day(on: date | None) -> str:
    return "" if on is None else f"{on:%a} {on.day} {on:%b}"


_WORDS: Mapping[Why, Callable[[Step], str]] = {
    Why.DAY: lambda step: f"day {step.detail}",
    Why.PAYDAY: lambda _: "payday",
    Why.HOUR: lambda step: f"hours {step.detail}",
    Why.AFTER_TRY: lambda _: "tried by then, so the next day",
    Why.WEEKEND: lambda step: f"not on {_day(step.on)}: weekend",
    Why.HOLIDAY: lambda step: f"not on {_day(step.on)}: {step.detail}",
    Why.MONTH_FULL: lambda step: f"the key has had its {step.detail} tries of the month, so from {_day(step.on)}",
    Why.SPENT: lambda _: "no further day: the charge is given up",
    Why.NEXT_PERIOD: lambda step: f"the next period is charged on {_day(step.on)}: the charge is given up",
}

_WAITS: Mapping[WaitReason | None, str] = {
    WaitReason.MONTH_QUOTA: "the key's quota of the month is used up; that uses up no try",
    WaitReason.NOT_SENT: "the last request was not sent; that uses up no try",
    WaitReason.MAINTENANCE: "the PG was in maintenance; that uses up no try",
    WaitReason.CONFIGURATION: "the merchant's contract or settings were at fault; that uses up no try",
    WaitReason.POSTPONED: "postponed by an operator",
}
"""Why a charge is tried next at a time that is not its calendar's."""
