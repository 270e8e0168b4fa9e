"""How a subscription begins: its anchor, its status and its first charge, and what is refused. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from schedules.cadences import Anchored
from schedules.periods import due_periods, first_start, next_start
from schedules.plans import Plan
from worker.domain.errors import Refused
from worker.domain.states import SubscriptionStatus
from worker.pg import catalog
from worker.pg.facts import vat_of

EARLIEST_START_ON = date(1970, 1, 1)  # earlier is a slip of the pen
LATEST_START = timedelta(days=3650)  # from today; no billing key lives that long
MOST_COUNTED = 1000  # periods that are due at once; beyond, the number says no more


@dataclass(frozen=True, slots=True)
class StartTerms:
    """What a new subscription starts with. Every period is computed from `anchor_on`."""

    anchor_on: date
    status: SubscriptionStatus
    next_charge_at: datetime


class Terms(Protocol):
    """What a charge comes to: of a plan, or of a charge that is open already. KRW."""

    @property
    def amount(self) -> int: ...
    @property
    def tax_free(self) -> int: ...
    @property
    def vat_amount(self) -> int | None: ...


class WrongDate(Refused):
    """A date from which no subscription can begin; `column` says which, `expected` what it must be."""

    def __init__(self, column: str, found: date, expected: str) -> None:
        super().__init__(f"{column} is {found} but must be {expected}.")
        self.column = column
        self.found = found
        self.expected = expected


class SeveralPeriodsDue(WrongDate):
    """A start so long ago that several periods would be charged at once, which was not allowed."""

    def __init__(self, column: str, found: date, due: int) -> None:
        count = f"{due:,} or more" if due == MOST_COUNTED else f"{due:,}"
        super().__init__(
            column, found, f"later: {count} periods are due since {found}; give --backdate to charge them all"
        )
        self.args = (f"{count} periods are due since {found}. Give --backdate to charge them all, or a later --start.",)


def decide_start(
    plan: Plan, *, start_on: date | None, paid_until: date | None = None, now: datetime, backdate: bool = False
) -> StartTerms:
    """Decide how a subscription begins that starts on a date, by default today in the plan's zone.

    Paid elsewhere up to a date, its first period starts there, and no trial is given. Raises WrongDate, also for a
    start so long ago that several periods would be charged at once, unless `backdate` is true.
    """
    today = now.astimezone(plan.time_zone).date()
    for column, found in (("start_on", start_on), ("paid_until", paid_until)):
        if found is not None and not EARLIEST_START_ON <= found <= today + LATEST_START:
            raise WrongDate(column, found, f"from {EARLIEST_START_ON} to {today + LATEST_START}")
    if paid_until is None:
        beginning = _fresh(plan, start_on or today)
    else:
        beginning = _paid_elsewhere(plan, start_on or paid_until, paid_until)
    if not backdate and (due := _periods_due(plan, beginning, now)) > 1:
        column = "start_on" if paid_until is None else "paid_until"
        raise SeveralPeriodsDue(column, paid_until or start_on or today, due)
    return beginning


def anchor_of(plan: Plan, planned_on: date, *, now: datetime) -> date:
    """Return the anchor of a subscription whose first key comes now: no earlier than today, and after its trial.

    `planned_on` is the anchor it was to have. A customer who registers late has had nothing of that time, so none of it
    is charged.
    """
    trial = timedelta(days=plan.trial_days)
    today = now.astimezone(plan.time_zone).date()
    return max(planned_on, today + trial)


def starts_now(plan: Plan, anchor_on: date, *, now: datetime) -> bool:
    """Return whether the first period is today's, so that it is charged at once, even before the plan's hour."""
    start = first_start(plan, anchor_on)
    today = now.astimezone(plan.time_zone).date()
    return not plan.trial_days and start.astimezone(plan.time_zone).date() <= today


def amount_objection(plan: Plan, pg: str | None, *, max_amount: int) -> str | None:
    """Return why a plan's amount cannot be charged, at all or through a PG; None when it can."""
    if plan.amount > max_amount:
        return f"the setting AGAIN_MAX_AMOUNT allows no charge above {max_amount:,} KRW"
    return None if pg is None else pg_objection(plan, pg)


def pg_objection(terms: Terms, pg: str, *, in_window: bool = False) -> str | None:
    """Return why a PG cannot charge this through `again`, or take it in its payment window; None when it can.

    A PG that works the VAT out by itself would put another one on the receipt than the customer has agreed to.
    """
    if objection := catalog.limit_objection(pg, terms.amount):
        return objection
    facts = catalog.PGS[pg]
    takes_vat_amount = facts.window.vat_amount if in_window else facts.takes_vat_amount
    if takes_vat_amount or terms.vat_amount in {None, vat_of(terms.amount, terms.tax_free, None)}:
        return None
    return (
        f"{facts.name} takes no vat_amount: it works the VAT out from amount and tax_free, "
        f"and would not come to {terms.vat_amount:,} KRW"
    )


def _fresh(plan: Plan, start_on: date) -> StartTerms:
    anchor_on = start_on + timedelta(days=plan.trial_days)
    status = SubscriptionStatus.TRIALING if plan.trial_days else SubscriptionStatus.ACTIVE
    return StartTerms(anchor_on, status, first_start(plan, anchor_on))


def _paid_elsewhere(plan: Plan, anchor_on: date, paid_until: date) -> StartTerms:
    if paid_until < anchor_on:
        raise WrongDate("paid_until", paid_until, f"start_on ({anchor_on}) or later")
    start = _first_start_on_or_after(plan, anchor_on, paid_until)
    start_on = start.astimezone(plan.time_zone).date()
    # A period that began between two anchored dates would be charged in full for a part.
    if isinstance(plan.cadence, Anchored) and start_on != paid_until:
        raise WrongDate(
            "paid_until",
            paid_until,
            f"a day on which a period of this plan begins, counted from start_on ({anchor_on}), such as {start_on}",
        )
    return StartTerms(anchor_on, SubscriptionStatus.ACTIVE, start)


def _first_start_on_or_after(plan: Plan, anchor_on: date, on: date) -> datetime:
    return next_start(plan, anchor_on, after=_midnight(on, plan.time_zone) - timedelta(microseconds=1))


def _midnight(on: date, zone: ZoneInfo) -> datetime:
    return datetime(on.year, on.month, on.day, tzinfo=zone)


def _periods_due(plan: Plan, beginning: StartTerms, now: datetime) -> int:
    at = beginning.next_charge_at
    return len(due_periods(plan, beginning.anchor_on, next_charge_at=at, now=now, cap=MOST_COUNTED).open)
