"""Subscriptions whose next charge is due: the next ones in order, locked, or one at this instant.

They come in groups that have everything in common which decides what is opened: at a month's end, thousands of one plan
stand at the same place of the same calendar, which is then worked out once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.mapping import OWN_PLAN_COLUMNS
from worker.database.planning import plan_by_index
from worker.domain.pricing.amounts import Amounts
from worker.domain.pricing.items import Item, plan_item
from worker.ledger import changes
from worker.ledger.adjustments import HAS_OPEN
from worker.ledger.charges import UNPAID
from worker.ledger.plan_queues import QUEUE_OPENED_INTO

_LOCK = text("""
    WITH due AS (
        SELECT id, next_charge_at FROM subscriptions
        WHERE next_charge_at <= :now AND (next_charge_at, id) > (:after_at, :after_id)
        ORDER BY next_charge_at, id
        LIMIT :limit
        FOR UPDATE SKIP LOCKED
    )
    SELECT array_agg(id ORDER BY next_charge_at, id) AS ids, max(next_charge_at) AS last_at FROM due
""")

# What is to change first is left to that change. Each row is looked up by its id: OFFSET 0 keeps a subquery from
# becoming a join, whose order statistics would decide.
_GROUPS = text(f"""
    SELECT g.ids, g.anchor_on, g.next_charge_at, g.has_key, g.unpaid, g.queue, g.quantity, g.price_version,
           g.adjusted IS NOT NULL AS is_adjusted, {OWN_PLAN_COLUMNS}
    FROM (
        SELECT s.plan_id, s.anchor_on, s.next_charge_at, k.status IS NOT DISTINCT FROM 'active' AS has_key,
               {UNPAID} AS unpaid, {QUEUE_OPENED_INTO} AS queue, s.quantity, s.price_version,
               CASE WHEN {HAS_OPEN} THEN s.id END AS adjusted, array_agg(s.id) AS ids
        FROM unnest(CAST(:ids AS bigint[])) AS due(id)
        CROSS JOIN LATERAL (SELECT * FROM subscriptions WHERE id = due.id OFFSET 0) s
        LEFT JOIN LATERAL (SELECT * FROM billing_keys WHERE id = s.billing_key_id OFFSET 0) k ON true
        WHERE s.next_charge_at <= :now AND NOT {changes.OF_SUBSCRIPTION}
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
    ) g CROSS JOIN LATERAL (SELECT * FROM plans WHERE id = g.plan_id OFFSET 0) p
    LEFT JOIN LATERAL (
        SELECT * FROM plan_prices WHERE plan_id = g.plan_id AND version = g.price_version OFFSET 0) v ON true
""")  # noqa: S608 - constants only


@dataclass(frozen=True, slots=True, kw_only=True)
class DueSubscriptions:
    """Subscriptions of one plan whose next charge is due and which differ in nothing that decides what is opened.

    One whose charge differs by adjustments (`is_adjusted`) stands alone. The plan's columns are as they are in its row:
    they may be unreadable. Its amounts are of one unit, by the version of its price that these subscriptions have.
    """

    ids: Sequence[int]
    anchor_on: date
    next_charge_at: datetime
    has_key: bool
    unpaid: int  # of each
    queue: str | None  # into which its charges are opened
    quantity: int
    price_version: int
    is_adjusted: bool
    code: str  # the plan's, as everything below
    name: str
    amount: int
    tax_free: int
    vat_amount: int | None
    currency: str
    cadence: str
    time_zone: str
    charge_hour: int
    trial_days: int
    catch_up: str
    dunning: str
    max_open_charges: int
    dunning_end: str
    dunning_end_charges: str
    key_deadline_days: int | None
    grace_days: int
    arrears: str
    notices: str
    gate: str | None

    @property
    def line(self) -> Item:
        """What each pays for one whole period, before anything is taken off or added."""
        return plan_item(self.name, Amounts(self.amount, self.tax_free, self.vat_amount), self.quantity)


Place = tuple[datetime, int]
"""A place in the order of due subscriptions: when the next charge is due, and the subscription's id."""

START: Place = (datetime.min.replace(tzinfo=UTC), 0)


@dataclass(frozen=True, slots=True)
class DueChunk:
    """The next due subscriptions in order, locked: how many there are, and where the last of them stands."""

    groups: Sequence[DueSubscriptions]
    size: int
    last: Place


def due_subscriptions(session: Session, *, after: Place, now: datetime, limit: int) -> DueChunk:
    """Lock the next `limit` subscriptions whose next charge is due, each with its plan; others skip these rows.

    Its plans and keys are read once it is locked, by a statement of their own: as they are from then on.
    """
    plan_by_index(session)
    parameters = {"now": now, "limit": limit, "after_at": after[0], "after_id": after[1]}
    row = session.execute(_LOCK, parameters).one()
    if not row.ids:
        return DueChunk((), 0, after)
    groups = _grouped(session, row.ids, now=now)
    return DueChunk(groups, len(row.ids), (row.last_at, row.ids[-1]))


def due_subscription(session: Session, subscription_id: int, *, now: datetime) -> DueSubscriptions | None:
    """Return a locked subscription with its plan, if a period of it has started and has no charge yet."""
    groups = _grouped(session, [subscription_id], now=now)
    return groups[0] if groups else None


def _grouped(session: Session, ids: Sequence[int], *, now: datetime) -> Sequence[DueSubscriptions]:
    rows = session.execute(_GROUPS, {"ids": list(ids), "now": now})
    return [DueSubscriptions(**row._mapping) for row in rows]  # noqa: SLF001 - public
