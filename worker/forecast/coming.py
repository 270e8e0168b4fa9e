"""What groups of subscriptions will be charged with: their periods to come, opened and billed as they will be."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from schedules.periods import BillingPeriod
from schedules.plans import CatchUp, Plan
from worker.database.mapping import plan_of
from worker.domain.channel_rules import ChannelRules, opens_at
from worker.domain.forecast import Coming, Mark
from worker.domain.pricing.adjustments import Adjustment
from worker.forecast.asked import Asked
from worker.forecast.gated import is_strict
from worker.forecast.queries import ComingGroup
from worker.ledger.due_subscriptions import DueSubscriptions
from worker.ledger.opening import opening_by
from worker.ledger.terms import bills

_INSTANT = timedelta(microseconds=1)

Rules = Mapping[str, ChannelRules]
"""The rules of the PGs that have any."""

Plans = dict[str, Plan]
"""The plans that were read, each once, by their codes: their amounts are not asked for."""


def coming_charges(
    group: ComingGroup, adjustments: Mapping[int, Sequence[Adjustment]], asked: Asked, plans: Plans, rules: Rules
) -> list[Coming] | None:
    """Return what each of a group of subscriptions will be charged with in the days of a forecast.

    None where a strict gate will judge a payment that follows a free one, which this does not know. Raises ValueError,
    LookupError or OSError for a plan that cannot be read.
    """
    due = group.due
    if (plan := plans.get(due.code)) is None:
        plan = plans[due.code] = plan_of(due)
    charged = _charged(plan, group, asked)
    open_ = adjustments.get(due.ids[0], ()) if due.is_adjusted else ()
    if open_:
        amounts = [bill.amount for bill in bills(due.line, open_, [period for period, _ in charged])]
    else:
        amounts = [due.line.amount] * len(charged)
    if is_strict(group, asked.gate) and 0 in amounts[:-1]:
        return None
    made = []
    for number, ((period, due_at), amount) in enumerate(zip(charged, amounts, strict=True)):
        at = opens_at(rules, due.queue or "", due_at)
        if not amount or not asked.has(at) or (group.canceled_at is not None and group.canceled_at <= at):
            continue
        made.append(
            Coming(
                at=at,
                plan=due.code,
                pg=due.queue or "",
                amount=amount,
                period_start=period.start,
                subscriptions=group.codes,
                marks=list(_marks(group, number)),
                held=group.held,
            )
        )
    return made


def _charged(plan: Plan, group: ComingGroup, asked: Asked) -> Sequence[tuple[BillingPeriod, datetime]]:
    """Return the periods that are charged, each with when: those that have started and are not opened, now."""
    due, late = group.due, tuple[BillingPeriod, ...]()
    if due.next_charge_at <= asked.now:
        opening = opening_by(plan, due, now=asked.now, cap=sys.maxsize)
        due, late = _after(due, opening.next_charge_at, len(opening.open)), opening.open
    until = asked.until if group.canceled_at is None else min(asked.until, group.canceled_at - _INSTANT)
    on_time = opening_by(replace(plan, catch_up=CatchUp.ALL), due, now=until, cap=sys.maxsize).open
    return [*((period, asked.now) for period in late), *((period, period.start) for period in on_time)]


def _after(due: DueSubscriptions, next_charge_at: datetime, opened: int) -> DueSubscriptions:
    """Return where subscriptions stand once some of their periods are opened: without a key these are unpaid."""
    return replace(due, next_charge_at=next_charge_at, unpaid=due.unpaid + (0 if due.has_key else opened))


def _marks(group: ComingGroup, number: int) -> Iterator[Mark]:
    if number == 0 and group.regular_before is None:
        yield Mark.FIRST
    elif number == 0 and group.regular_before != group.due.line.amount:
        yield Mark.NEW_PRICE
    if group.is_repriced or group.canceled_at is not None:
        yield Mark.CHANGE
