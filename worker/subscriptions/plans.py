"""The plans that are sold: added and found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import islice

from sqlalchemy.orm import Session

from schedules.notices import NoticeKind
from schedules.periods import first_start, next_start
from schedules.plans import GateMode, Plan
from worker.database.engine import Sessions
from worker.database.tables import billing
from worker.domain.consent_gate.facts import longest_trial_on_one_consent
from worker.domain.consent_gate.rules import BY_CODE, RuleCode
from worker.domain.errors import Refused
from worker.subscriptions import plan_queries

MAX_TRIAL_DAYS = longest_trial_on_one_consent()
"""A consent that is given as a longer trial begins is too old when it ends: rules of `worker.domain.consent_gate`."""

DAYS_TOLD_AHEAD = BY_CODE[RuleCode.NOTICE_OF_PAID].days
NOTICE_REMEDY = f"Let it be told: `again plan set CODE --notices 'trial {DAYS_TOLD_AHEAD}'`."

TRIAL_REMEDY = "Ask these customers once more before their trial ends, or sell a plan with a shorter one."


def add_plan(sessions: Sessions, plan: Plan, *, max_amount: int, now: datetime) -> None:
    """Add a plan. Raises Refused for a code that is taken and for an amount that no charge may have."""
    if plan.amount > max_amount:
        raise Refused(
            f"Plan {plan.code!r} costs {plan.amount:,} {plan.currency}, but the setting AGAIN_MAX_AMOUNT allows no "
            f"charge above {max_amount:,}. Lower the amount, or raise the setting."
        )
    with sessions.begin() as session:
        if plan_queries.add(session, plan, now=now) is None:
            raise Refused(f"Plan {plan.code!r} exists already and stays as it is. Choose another code.")


def plan_row(session: Session, code: str) -> billing.Plan:
    """Find a plan by its code. Raises Refused, naming those that exist."""
    # What no code of a plan can be, such as one with NUL in it, is not asked for.
    if code.isprintable() and (row := plan_queries.named(session, code)) is not None:
        return row
    codes = [known.code for known in plan_queries.known(session)[:10]]
    listed = f"Some that exist: {', '.join(codes)}." if codes else "None exists yet; `again plan add` adds one."
    raise Refused(f"There is no plan {code!r:.60}. {listed}")


def next_charges(plan: Plan, *, now: datetime, count: int) -> list[datetime]:
    """Return when a subscription that started today would be charged first, and then."""
    anchor_on = now.astimezone(plan.time_zone).date() + timedelta(days=plan.trial_days)
    return list(islice(_starts(plan, anchor_on), count))


def _starts(plan: Plan, anchor_on: date) -> Iterator[datetime]:
    start = first_start(plan, anchor_on)
    while True:
        yield start
        start = next_start(plan, anchor_on, after=start)


def overlong_trials(plans: Iterable[Plan]) -> str | None:
    """Return which plans have a trial that outlives the consent given at its beginning, and why; None for none."""
    overlong = {plan.code: plan.trial_days for plan in plans if plan.trial_days > MAX_TRIAL_DAYS}
    if not overlong:
        return None
    named = ", ".join(f"{code} ({days} days)" for code, days in sorted(overlong.items()))
    return (
        f"Trial of more than {MAX_TRIAL_DAYS} days: {named}. Consent to a first charge must be given within the "
        f"{MAX_TRIAL_DAYS} days before it (E-Commerce Act 13(6)), so the one given as the trial begins is too old, and "
        "the consent gate holds or notes such a charge."
    )


def unannounced_trials(plans: Iterable[Plan], mode: GateMode) -> str | None:
    """Return which plans have a trial whose end is told too late for a gate that holds charges; None for none.

    `mode` is the deployment's, where a plan has none of its own.
    """
    late = {
        plan.code: plan.trial_days
        for plan in plans
        if plan.trial_days
        and (plan.gate or mode) is GateMode.STRICT
        and plan.notices.ahead.get(NoticeKind.TRIAL, 0) < DAYS_TOLD_AHEAD
    }
    if not late:
        return None
    named = ", ".join(f"{code} ({days} days)" for code, days in sorted(late.items()))
    return (
        f"Trial without a message {DAYS_TOLD_AHEAD} days before it ends: {named}. The consent gate holds the first "
        "charge of each."
    )
