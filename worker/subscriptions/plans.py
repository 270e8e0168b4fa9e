"""The plans that are sold: added and found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import islice

from sqlalchemy.orm import Session

from schedules.periods import first_start, next_start
from schedules.plans import Plan
from worker.database.engine import Sessions
from worker.database.tables import billing
from worker.domain.errors import Refused
from worker.subscriptions import plan_queries

MAX_TRIAL_DAYS = 30
"""A free service becomes a paid one only with consent given within the 30 days before that: Act on the Consumer
Protection in Electronic Commerce, article 13(6), in force since 14 February 2025, as public pages report it."""

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
        f"{MAX_TRIAL_DAYS} days before it (E-Commerce Act 13(6)), and Again asks for it at the beginning only."
    )
