"""The consent that a customer gives with a checkout: counted to the won, and recorded before a window opens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from schedules.periods import first_start, period_starting
from worker.checkout import subject_queries
from worker.checkout.queries import CheckoutRow
from worker.domain.errors import RefusalCode, Refused
from worker.domain.shown_terms import ShownTerms
from worker.domain.states import CheckoutPurpose, ConsentSource
from worker.ledger import charges, consents
from worker.ledger.charges import OwedPeriod
from worker.ledger.due_subscriptions import due_subscription
from worker.ledger.opening import open_due_now
from worker.ledger.terms import own_terms
from worker.subscriptions.activation import anchor_now
from worker.subscriptions.arrears import Arrears, arrears_of
from worker.subscriptions.start_terms import starts_now


class OwedAmountChanged(Refused):
    """Another sum is owed, or given up, by now than the customer was shown."""

    def __init__(self, shown: int, found: int, what: str = "owed") -> None:
        super().__init__(
            f"{found:,} KRW is {what} by now, and not {shown:,} KRW as was shown; show it, and ask for consent again.",
            code=RefusalCode.CHANGED,
        )


def agreed_to(
    session: Session, checkout: CheckoutRow, *, owed: int | None, given_up: int | None, now: datetime
) -> Arrears:
    """Return what a customer agrees to with a locked checkout: what is charged at once, and what is given up.

    `owed` and `given_up` are the sums that they were shown; None for "as it is now". Raises OwedAmountChanged.
    """
    agreed = _agreed(session, checkout, now)
    if checkout.purpose is CheckoutPurpose.REPLACE:
        if owed not in {None, agreed.amount}:
            raise OwedAmountChanged(int(owed or 0), agreed.amount)
        if given_up not in {None, agreed.given_up_amount}:
            raise OwedAmountChanged(int(given_up or 0), agreed.given_up_amount, "not charged to a new key")
    return agreed


def record_consent(
    session: Session,
    checkout: CheckoutRow,
    key_id: int | None,
    agreed: Arrears,
    *,
    source: ConsentSource,
    wording: str,
    terms: ShownTerms | None = None,
    now: datetime,
) -> None:
    """Record what a customer agrees to with a locked checkout."""
    values = {
        "subscription_id": checkout.subscription_id,
        "checkout_id": checkout.id,
        "billing_key_id": key_id,
        "source": source,
        "wording": wording,
        "next_charge_at": agreed.next_charge_at,
    }
    consents.add(session, values, agreed.periods, agreed.given_up, terms=terms, now=now)


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
    about = subject_queries.subscription_by_code(session, checkout.subscription_code)
    plan = own_terms(session, about.id).plan
    return arrears_of(session, about, now=now).by_new_key(plan.arrears)


def _first_period(session: Session, checkout: CheckoutRow, now: datetime) -> Arrears:
    """Return the first period, if it is charged today, and when the next one is charged."""
    about = subject_queries.subscription_by_code(session, checkout.subscription_code)
    plan = own_terms(session, about.id).plan
    kept = charges.first_charge(session, checkout.subscription_id)
    anchor_on = anchor_now(session, checkout.subscription_id, plan, about.anchor_on, now=now)
    period = period_starting(plan, anchor_on, first_start(plan, anchor_on))
    if not starts_now(plan, anchor_on, now=now):
        return Arrears((), period.start)
    if kept is not None and kept.period_start == period.start:  # it is open, for a window to pay
        amount = kept.amount
    else:
        later = own_terms(session, about.id, without=None if kept is None else kept.unpaid_id)
        amount = later.bills([period])[0].amount
    return Arrears((OwedPeriod(period.start, amount),) if amount else (), period.end)
