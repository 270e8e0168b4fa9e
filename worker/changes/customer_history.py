"""What a customer's account shows: each subscription, what was charged and refunded, and what is to come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from worker.changes import customer_queries, refund_queries
from worker.changes.ownership import may_undo
from worker.changes.price_as_it_stands import as_it_stands
from worker.database.engine import Sessions
from worker.domain.changes import ChangeKind, ChangeStatus, WaitsFor
from worker.domain.customer_reference import is_customer_reference, normalized
from worker.domain.previews import Sentence
from worker.domain.pricing.items import Item, ItemKind
from worker.domain.refunds import RefundStatus
from worker.domain.states import ChargeStatus, SubscriptionStatus
from worker.ledger import changes
from worker.ledger.changes import Change

MOST_CHARGES = 120
"""How many charges of each subscription are shown: ten years of months."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerChange:
    """A change as its customer sees it. `sentence` says in both languages what it does; sums are won.

    A `scheduled` one takes effect at `effective_at`, unless it `waits_for` something first. `can_undo`: this host may
    undo it, since it has asked for it. `fingerprint` is that of what is shown here: the sentence of a change of price
    that is to come follows the quantity.
    """

    id: int
    kind: ChangeKind
    subscription: str
    charge: int | None
    status: ChangeStatus
    waits_for: WaitsFor | None
    effective_at: datetime
    sentence: Sentence
    fingerprint: str
    can_undo: bool
    charged: int = 0
    refunded: int = 0
    credited: int = 0
    no_longer_owed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRefund:
    """A refund that was asked for through Again, in won; `change` is the id of the change that did."""

    amount: int
    status: RefundStatus
    asked_at: datetime
    settled_at: datetime | None
    change: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerCharge:
    """What one period cost, in won, line by line. The period goes from its start up to, not including, its end.

    `refunded` is all that PortOne shows as refunded, in its console too; `refunds` are those that were asked for here.
    `receipt_url` is the PG's page of the receipt, where it has told one.
    """

    id: int
    name: str
    status: ChargeStatus
    amount: int
    tax_free: int
    vat_amount: int | None
    currency: str
    period_start: datetime
    period_end: datetime
    paid_at: datetime | None
    is_paid_elsewhere: bool
    pg: str | None
    receipt_url: str | None
    refunded: int
    items: tuple[Item, ...]
    refunds: tuple[CustomerRefund, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionHistory:
    """A subscription of a customer, whatever its status: its charges, the newest first, and its changes to come.

    `amount` is the price of `quantity` for a whole period, in won. `paid_until` and `access_until` are those of
    `CustomerSubscription`; dates are those of `time_zone`.
    """

    code: str
    plan: str
    name: str
    time_zone: str
    status: SubscriptionStatus
    quantity: int
    amount: int
    created_at: datetime
    paid_until: datetime | None
    access_until: datetime | None
    charges: tuple[CustomerCharge, ...]
    changes: tuple[CustomerChange, ...]


def history_of(sessions: Sessions, customer: str, *, most: int = MOST_CHARGES) -> tuple[SubscriptionHistory, ...]:
    """Return a customer's subscriptions, the oldest first, each with at most `most` charges; none if unknown."""
    customer = normalized(customer)
    if not is_customer_reference(customer):
        return ()
    with sessions() as session:
        return tuple(_subscription(session, row, most) for row in customer_queries.subscriptions(session, customer))


def as_customer_change(sessions: Sessions, change: Change) -> CustomerChange:
    """Return a change as its customer sees it in the host that these connections are of."""
    with sessions() as session:
        return _change(session, change, refund_queries.actor(session))


def _change(session: Session, change: Change, actor: str) -> CustomerChange:
    change = as_it_stands(session, change)
    shown = change.preview
    sums = {name: shown.get(name, 0) for name in ("charged", "refunded", "credited", "no_longer_owed")}
    return CustomerChange(
        id=change.id,
        kind=change.kind,
        subscription=change.code,
        charge=change.charge_id,
        status=change.status,
        waits_for=change.waits_for,
        effective_at=change.effective_at,
        sentence=Sentence(**shown["sentence"]),
        fingerprint=change.fingerprint,
        can_undo=may_undo(change, actor),
        **sums,
    )


def _subscription(session: Session, row: Mapping[str, Any], most: int) -> SubscriptionHistory:
    known, actor = {name: value for name, value in row.items() if name != "id"}, refund_queries.actor(session)
    return SubscriptionHistory(
        **known | {"status": SubscriptionStatus(row["status"])},
        charges=_charges(session, customer_queries.charges(session, row["id"], most=most)),
        changes=tuple(_change(session, each, actor) for each in changes.scheduled(session, row["id"])),
    )


def _charges(session: Session, rows: Sequence[Mapping[str, Any]]) -> tuple[CustomerCharge, ...]:
    ids = [row["id"] for row in rows]
    items: dict[int, list[Item]] = {id_: [] for id_ in ids}
    for each in customer_queries.items(session, ids):
        items[each["charge_id"]].append(Item(**_but_charge(each) | {"kind": ItemKind(each["kind"])}))
    refunds: dict[int, list[CustomerRefund]] = {id_: [] for id_ in ids}
    for each in customer_queries.refunds(session, ids):
        refunds[each["charge_id"]].append(
            CustomerRefund(**_but_charge(each) | {"status": RefundStatus(each["status"])})
        )
    return tuple(
        CustomerCharge(
            **{**row, "status": ChargeStatus(row["status"])},
            items=tuple(items[row["id"]]),
            refunds=tuple(refunds[row["id"]]),
        )
        for row in rows
    )


def _but_charge(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "charge_id"}
