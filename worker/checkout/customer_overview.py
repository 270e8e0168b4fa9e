"""A customer's own subscriptions, and the charges they can pay by hand: for a page of the customer's account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from worker.checkout import customer_queries
from worker.checkout.customer_queries import OwnSubscription
from worker.database.engine import Sessions
from worker.domain.customer_reference import is_customer_reference, normalized
from worker.domain.states import SubscriptionStatus
from worker.ledger.upcoming import upcoming_periods


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueCharge:
    """A charge that was declined or given up, or has an open window: `create_link(charge=id)` lets it be paid by hand.

    `amount` is won. The period goes from its start up to, not including, its end.
    """

    id: int
    name: str
    amount: int
    currency: str
    period_start: datetime
    period_end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerSubscription:
    """A subscription that is not over, or is canceled and still paid for.

    While it is `pending` it waits for its first key, and nothing falls due. `paid_until` is the end of the last period
    that was paid and not refunded, whatever its status is: until then the customer has what they paid for.
    `access_until` goes beyond it by the plan's days of grace, while it is billed, and is the end of a trial. Give
    access while it is `trialing` or `active`, and otherwise until then. `amount` is the price of `quantity` for a whole
    period, in won. `next_amount` is what the next charge comes to, with discounts, credits and what is charged once;
    None where nothing falls due. By `HostCheckout` both it and `next_charge_at` are as planned changes have them.
    """

    code: str
    plan: str
    name: str
    status: SubscriptionStatus
    next_charge_at: datetime | None
    overdue: tuple[OverdueCharge, ...]
    paid_until: datetime | None = None
    access_until: datetime | None = None
    quantity: int = 1
    amount: int = 0
    next_amount: int | None = None


def subscriptions_of(
    sessions: Sessions, customer_reference: str, *, now: datetime | None = None
) -> tuple[CustomerSubscription, ...]:
    """Return a customer's running subscriptions, the oldest first; none for an unknown reference.

    With `now`, those follow that are canceled and paid beyond that instant.
    """
    customer = normalized(customer_reference)
    if not is_customer_reference(customer):
        return ()
    with sessions() as session:
        running = customer_queries.running(session, customer)
        charges = customer_queries.overdue(session, [each.id for each in running]) if running else []
        over = [] if now is None else customer_queries.canceled_but_paid(session, customer, now=now)
        next_amounts = {each.id: _next_amount(session, each, now) for each in running} if now is not None else {}
    overdue: dict[int, list[OverdueCharge]] = {each.id: [] for each in (*running, *over)}
    for charge in charges:
        overdue[charge.subscription_id].append(
            OverdueCharge(
                id=charge.id,
                name=charge.name,
                amount=charge.amount,
                currency=charge.currency,
                period_start=charge.period_start,
                period_end=charge.period_end,
            )
        )
    return tuple(
        CustomerSubscription(
            code=each.code,
            plan=each.plan,
            name=each.name,
            status=each.status,
            next_charge_at=each.next_charge_at,
            overdue=tuple(overdue[each.id]),
            paid_until=each.paid_until,
            access_until=each.access_until,
            quantity=each.quantity,
            amount=each.amount,
            next_amount=next_amounts.get(each.id),
        )
        for each in (*running, *over)
    )


def _next_amount(session: Session, own: OwnSubscription, now: datetime) -> int | None:
    coming = upcoming_periods(session, own.id, own.anchor_on, own.next_charge_at, now=now, count=1)
    return coming[0].bill.amount if coming else None
