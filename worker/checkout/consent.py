"""What a customer agrees to with a checkout: counted to the won, and written down before a window opens."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from schedules.periods import first_start, period_starting
from worker.checkout.links import CHARGE, SUBSCRIPTION
from worker.database.mapping import plan_of
from worker.domain.errors import Refused
from worker.domain.states import CheckoutPurpose, ConsentSource
from worker.ledger import consents
from worker.ledger.opening import open_due_now
from worker.subscriptions import queries as subscription_queries
from worker.subscriptions.activation import anchor_now
from worker.subscriptions.arrears import Arrears, OwedPeriod, arrears_of
from worker.subscriptions.plans import plan_row
from worker.subscriptions.start_terms import starts_now


class OwedAmountChanged(Refused):
    """Another sum is owed by now than the customer was shown."""

    def __init__(self, shown: int, owed: int) -> None:
        super().__init__(
            f"{owed:,} KRW is owed by now, and not {shown:,} KRW as was shown; show it, and ask for consent again."
        )


def consent(
    session: Session,
    row: Row[Any],
    key_id: int | None,
    *,
    source: ConsentSource,
    wording: str,
    owed: int | None,
    now: datetime,
) -> None:
    """Write down what a customer agrees to with a locked checkout.

    `owed` is what they were shown as owed; None for "as it is now". Raises OwedAmountChanged, and nothing is agreed to.
    """
    purpose = CheckoutPurpose(row.purpose)
    match purpose:
        case CheckoutPurpose.REPLACE:
            agreed = _owed_now(session, row, now)
        case CheckoutPurpose.REGISTER:
            agreed = _first_period(session, row, now)
        case CheckoutPurpose.PAY:
            charge = session.execute(CHARGE, {"id": row.charge_id}).one()
            agreed = Arrears((OwedPeriod(charge.period_start, charge.amount),), None)
    if purpose is CheckoutPurpose.REPLACE and owed not in {None, agreed.amount}:
        raise OwedAmountChanged(int(owed or 0), agreed.amount)
    values = {
        "subscription_id": row.subscription_id,
        "checkout_id": row.id,
        "billing_key_id": key_id,
        "source": source,
        "wording": wording,
        "next_charge_at": agreed.next_charge_at,
    }
    consents.add(session, values, ((each.period_start, each.amount) for each in agreed.periods), now=now)


def _owed_now(session: Session, row: Row[Any], now: datetime) -> Arrears:
    """Open what has begun, so that no tick can open it later as if it were news, and list what is owed."""
    if (due := subscription_queries.due_now(session, row.subscription_id, now=now)) is not None:
        open_due_now(session, due, now=now)
    return arrears_of(session, session.execute(SUBSCRIPTION, {"code": row.subscription_code}).one(), now=now)


def _first_period(session: Session, row: Row[Any], now: datetime) -> Arrears:
    """List the first period, if it is charged today, and say when the next one is."""
    about = session.execute(SUBSCRIPTION, {"code": row.subscription_code}).one()
    plan = plan_of(plan_row(session, about.plan_code))
    anchor_on = anchor_now(session, row.subscription_id, plan, about.anchor_on, now=now)
    period = period_starting(plan, anchor_on, first_start(plan, anchor_on))
    if not starts_now(plan, anchor_on, now=now):
        return Arrears((), period.start)
    return Arrears((OwedPeriod(period.start, plan.amount),), period.end)
