"""What a change of plan is asked with, and the anchor that it leads to. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from schedules.anchors import anchor_from
from schedules.cadences import Anchored, Unit
from schedules.plans import Plan
from worker.changes.wording import refuse_parameters
from worker.domain.errors import RefusalCode, Refused

MOST = 1_000_000
"""The highest quantity of a plan; more is a typing error."""

_LAST_DAY = 31


class Proration(StrEnum):
    """What becomes of the days that are left of a paid period when a plan changes in its middle."""

    DAYS = "days"  # they are charged at the new price, less what was paid for them
    NONE = "none"  # nothing is charged or credited for them


class Renewal(StrEnum):
    """When the next period begins after a change in the middle of one."""

    KEEP = "keep"  # when it was to begin anyway
    RESTART = "restart"  # a new period begins with the change


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChange:
    """Another plan, another quantity, another billing day, or several of them; None leaves each as it is."""

    plan: str | None = None
    quantity: int | None = None
    proration: Proration = Proration.DAYS
    renewal: Renewal | None = None
    anchor_day: int | None = None


def read_plan_change(parameters: Mapping[str, Any]) -> PlanChange:
    """Return what is asked for. Raises Refused for parameters that are wrong, or that leave all as it is."""
    refuse_parameters(parameters, ("plan", "quantity", "proration", "renewal", "anchor_day"))
    given = {name: value for name, value in parameters.items() if value is not None}
    change = PlanChange(
        plan=_text(given.get("plan")),
        quantity=_whole("quantity", given.get("quantity"), MOST),
        proration=_proration(given.get("proration", Proration.DAYS)),
        renewal=_renewal(given.get("renewal")),
        anchor_day=_whole("billing day", given.get("anchor_day"), _LAST_DAY),
    )
    if change.renewal is Renewal.KEEP and change.anchor_day is not None:
        raise Refused("The renewal cannot be kept and move to another day: leave out either.")
    if change.plan is None and change.quantity is None and not restarts(change):
        raise Refused(
            "Nothing would change: give another plan, another quantity or another billing day.",
            code=RefusalCode.NOTHING_CHANGES,
        )
    return change


def restarts(change: PlanChange) -> bool:
    """Return whether a new period is asked for."""
    return change.renewal is Renewal.RESTART or change.anchor_day is not None


def anchor_for(plan: Plan, start: datetime, anchor_on: date, anchor_day: int | None) -> date:
    """Return the anchor of periods that begin at `start`, or then go on with a day of the month.

    Without such a day they go on with that of `anchor_on`, the anchor before, where `start` is the end of a month that
    is too short for it. Raises Refused for a plan that is not billed by the month.
    """
    starts_on = start.astimezone(plan.time_zone).date()
    if anchor_day is None:
        return anchor_from(plan.cadence, starts_on, day=anchor_on.day)
    if plan.cadence != Anchored(1, Unit.MONTH):
        raise Refused(
            f"Plan {plan.code!r} is billed every {plan.cadence}, so it has no billing day of the month; leave it out."
        )
    on = starts_on
    while on.day != anchor_day:
        on -= timedelta(days=1)
    return on


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise Refused(f"The plan is {value!r:.40} but must be the code of one, such as 'monthly'.")


def _whole(name: str, value: object, most: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch("[0-9]{1,7}", value):
        value = int(value)  # of a bulk run's file
    if type(value) is int and 1 <= value <= most:
        return value
    raise Refused(f"The {name} is {value!r:.40} but must be a whole number from 1 to {most:,}.")


def _proration(value: object) -> Proration:
    try:
        return Proration(str(value))
    except ValueError:
        raise Refused(f"The proration is {value!r:.40} but must be {' or '.join(Proration)}.") from None


def _renewal(value: object) -> Renewal | None:
    try:
        return None if value is None else Renewal(str(value))
    except ValueError:
        raise Refused(f"The renewal is {value!r:.40} but must be {' or '.join(Renewal)}.") from None
