"""Pausing and resuming: nothing falls due meanwhile, and the pause is not owed."""

from __future__ import annotations

from datetime import datetime

from schedules.periods import first_start, next_start
from schedules.plans import Plan
from worker.database.engine import Sessions
from worker.database.mapping import plan_of
from worker.domain.errors import Refused
from worker.domain.identifiers import read_code
from worker.domain.states import SubscriptionStatus
from worker.ledger import charges
from worker.subscriptions.arrears import arrears_of
from worker.subscriptions.locking import lock_running, move, open_missed_periods
from worker.subscriptions.plans import plan_row
from worker.subscriptions.queries import LockedSubscription


def pause(sessions: Sessions, code: str, *, reason: str, now: datetime) -> None:
    """Let nothing fall due until it is resumed. What it owes already is charged no more until then."""
    with sessions.begin() as session:
        row = lock_running(session, read_code(code), "paused")
        if row.status not in {SubscriptionStatus.TRIALING, SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE}:
            raise Refused(f"Subscription {row.code} is {row.status}; only one that is billed can be paused.")
        move(session, open_missed_periods(session, row, now), SubscriptionStatus.PAUSED, reason, None, now)


def resume(sessions: Sessions, code: str, *, reason: str, now: datetime, owed: int | None = None) -> datetime:
    """Bill a paused subscription again, from its next period on; returns when. The pause is not owed.

    What was paid before the pause stays paid: nothing is charged earlier than had been planned. What was open stays
    open, and is charged again; `owed` is the sum that was said, None for "as it is now". Raises Refused.
    """
    with sessions.begin() as session:
        code = read_code(code)
        charges.lock_open_charges(session, code)
        row = lock_running(session, code, "resumed")
        if row.status != SubscriptionStatus.PAUSED:
            raise Refused(f"Subscription {row.code} is {row.status}, not paused; there is nothing to resume.")
        if owed not in {None, (found := arrears_of(session, row, now=now).chargeable.amount)}:
            raise Refused(f"Subscription {code} owes {found:,} KRW by now, not {owed:,}; nothing was changed.")
        plan = plan_of(plan_row(session, row.plan_code))
        assert row.paused_next_charge_at is not None, "a CHECK of the table: it is paused"
        next_charge_at = max(row.paused_next_charge_at, next_start(plan, row.anchor_on, after=now))
        move(session, row, _status_resumed(row, plan, next_charge_at), reason, next_charge_at, now)
    return next_charge_at


def _status_resumed(row: LockedSubscription, plan: Plan, next_charge_at: datetime) -> SubscriptionStatus:
    if row.owes:
        return SubscriptionStatus.PAST_DUE
    if plan.trial_days and next_charge_at == first_start(plan, row.anchor_on):
        return SubscriptionStatus.TRIALING  # it was paused in its trial, which is not over
    return SubscriptionStatus.ACTIVE
