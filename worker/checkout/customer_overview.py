"""What a customer has, for a page that shows it to them: their running subscriptions, and what they can pay by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from worker.database.engine import Sessions
from worker.domain.customer_reference import is_customer_reference, normalized
from worker.domain.states import SubscriptionStatus
from worker.ledger.charges import PAID_UNTIL, PAYABLE_BY_HAND

# By plan, of which there are few: that is how the index of running subscriptions begins.
_RUNNING = text(f"""
    SELECT s.id, s.code, s.status, s.next_charge_at, p.code AS plan, p.name, {PAID_UNTIL} AS paid_until
    FROM plans p JOIN subscriptions s ON s.plan_id = p.id
    WHERE s.customer_reference = :customer AND s.status NOT IN ('canceled', 'ended')
    ORDER BY s.id
""")  # noqa: S608 - constants only

_PAID_AHEAD = text(f"""
    SELECT * FROM (
        SELECT s.id, s.code, s.status, s.next_charge_at, p.code AS plan, p.name, {PAID_UNTIL} AS paid_until
        FROM subscriptions s JOIN plans p ON p.id = s.plan_id
        WHERE s.customer_reference = :customer AND s.status IN ('canceled', 'ended')
        OFFSET 0) over
    WHERE paid_until > :now
    ORDER BY id
""")  # noqa: S608 - constants only

_OVERDUE = text(f"""
    SELECT c.id, c.subscription_id, c.order_name AS name, c.amount, c.currency, c.period_start, c.period_end
    FROM charges c
    WHERE c.subscription_id = ANY(:ids) AND ({PAYABLE_BY_HAND} OR c.status = 'charging' AND (
        SELECT a.via FROM attempts a WHERE a.charge_id = c.id ORDER BY a.number DESC LIMIT 1) = 'window')
    ORDER BY c.period_start, c.id
""")  # noqa: S608 - constants only


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
    """A subscription that is not over, or is canceled and paid for still.

    While it is `pending` it waits for its first key, and nothing falls due. `paid_until` is the end of the last period
    that was paid and not refunded, whatever its status is: until then the customer has what they paid for.
    """

    code: str
    plan: str
    name: str
    status: SubscriptionStatus
    next_charge_at: datetime | None
    overdue: tuple[OverdueCharge, ...]
    paid_until: datetime | None = None


def subscriptions_of(
    sessions: Sessions, customer_reference: str, *, now: datetime | None = None
) -> tuple[CustomerSubscription, ...]:
    """List a customer's running subscriptions, the oldest first; none for a reference that nobody has.

    With `now`, those follow that are canceled and paid beyond that instant.
    """
    customer = normalized(customer_reference)
    if not is_customer_reference(customer):
        return ()
    with sessions() as session:
        rows = session.execute(_RUNNING, {"customer": customer}).all()
        charges = session.execute(_OVERDUE, {"ids": [row.id for row in rows]}).all() if rows else []
        over = [] if now is None else session.execute(_PAID_AHEAD, {"customer": customer, "now": now}).all()
    overdue: dict[int, list[OverdueCharge]] = {row.id: [] for row in (*rows, *over)}
    for charge in charges:
        values = dict(charge._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
        overdue[values.pop("subscription_id")].append(OverdueCharge(**values))
    return tuple(
        CustomerSubscription(
            code=row.code,
            plan=row.plan,
            name=row.name,
            status=SubscriptionStatus(row.status),
            next_charge_at=row.next_charge_at,
            overdue=tuple(overdue[row.id]),
            paid_until=row.paid_until,
        )
        for row in (*rows, *over)
    )
