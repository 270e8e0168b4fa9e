"""The consent that a customer gives with a checkout: counted to the won, and recorded before a window opens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from schedules.periods import first_start, period_starting
from worker.checkout import subject_queries
from worker.checkout.queries import CheckoutRow
from worker.database.mapping import plan_of
from worker.domain.errors import Refused
from worker.domain.states import CheckoutPurpose, ConsentSource
from worker.ledger import consents
from worker.ledger.charges import OwedPeriod
from worker.ledger.due_subscriptions import due_subscription
from worker.ledger.opening import open_due_now
from worker.subscriptions.activation import anchor_now
from worker.subscriptions.arrears import Arrears, arrears_of
from worker.subscriptions.plans import plan_row
from worker.subscriptions.start_terms import starts_now


class OwedAmountChanged(Refused):
    """Another sum is owed by now than the customer was shown."""

    def __init__(self, shown: int, owed: int) -> None:
        super().__init__(
            f"{owed:,} KRW is owed by now, and not {shown:,} KRW as was shown; show it, and ask for consent again."
        )


def record_consent(
    session: Session,
    checkout: CheckoutRow,
    key_id: int | None,
    *,
    source: ConsentSource,
    wording: str,
    owed: int | None,
    now: datetime,
) -> None:
    """Record what a customer agrees to with a locked checkout.

    `owed` is what they were shown as owed; None for "as it is now". Raises OwedAmountChanged, and nothing is recorded.
    """
    agreed = _agreed(session, checkout, now)
    if checkout.purpose is CheckoutPurpose.REPLACE and owed not in {None, agreed.amount}:
        raise OwedAmountChanged(int(owed or 0), agreed.amount)
    values = {
        "subscription_id": checkout.subscription_id,
        "checkout_id": checkout.id,
        "billing_key_id": key_id,
        "source": source,
        "wording": wording,
        "next_charge_at": agreed.next_charge_at,
    }
    consents.add(session, values, ((each.period_start, each.amount) for each in agreed.periods), now=now)


def _agreed(session: Session, checkout: CheckoutRow, now: datetime) -> Arrears:
    match checkout.purpose:
        case CheckoutPurpose.REPLACE:
            return _owed_now(session, checkout, now)
        case CheckoutPurpose.REGISTER:
            return _first_period(session, checkout, now)
        case CheckoutPurpose.PAY:
            assert checkout.charge_id is not None, "a checkout that pays has its charge"
            charge = subject_queries.charge_by_id(session, checkout.charge_id)
            return Arrears((OwedPeriod(charge.period_start, charge.amount),), None)


def _owed_now(session: Session, checkout: CheckoutRow, now: datetime) -> Arrears:
    """Open the periods that have started, so that no tick can open them after the consent, and return what is owed."""
    if (due := due_subscription(session, checkout.subscription_id, now=now)) is not None:
        open_due_now(session, due, now=now)
    return arrears_of(session, subject_queries.subscription_by_code(session, checkout.subscription_code), now=now)


def _first_period(session: Session, checkout: CheckoutRow, now: datetime) -> Arrears:
    """Return the first period, if it is charged today, and when the next one is charged."""
    about = subject_queries.subscription_by_code(session, checkout.subscription_code)
    plan = plan_of(plan_row(session, about.plan_code))
    anchor_on = anchor_now(session, checkout.subscription_id, plan, about.anchor_on, now=now)
    period = period_starting(plan, anchor_on, first_start(plan, anchor_on))
    if not starts_now(plan, anchor_on, now=now):
        return Arrears((), period.start)
    return Arrears((OwedPeriod(period.start, plan.amount),), period.end)
