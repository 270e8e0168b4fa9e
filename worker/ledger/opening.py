"""Opening charges: the rows of periods that have started, for every due subscription or for one at this instant."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from schedules.periods import BillingPeriod, Opening, due_periods, within
from schedules.plans import Plan
from worker.database.bulk import as_rows
from worker.database.mapping import PLAN_COLUMNS, plan_of
from worker.domain.states import ChargeStatus
from worker.ledger.charges import UNPAID

BEYOND = "it passed while as many charges were unpaid as the plan allows"

_DUE_COLUMNS = f"""
    SELECT s.id, s.anchor_on, s.next_charge_at, {PLAN_COLUMNS},
           k.status IS NOT DISTINCT FROM 'active' AS has_key, {UNPAID} AS unpaid
    FROM subscriptions s JOIN plans p ON p.id = s.plan_id LEFT JOIN billing_keys k ON k.id = s.billing_key_id
"""  # noqa: S608 - constants only

_DUE = text(f"""
    {_DUE_COLUMNS}
    WHERE s.next_charge_at <= :now AND (s.next_charge_at, s.id) > (:after_at, :after_id)
    ORDER BY s.next_charge_at, s.id
    LIMIT :limit
    FOR UPDATE OF s SKIP LOCKED
""")

_DUE_NOW = text(f"{_DUE_COLUMNS} WHERE s.id = :id AND s.next_charge_at <= :now")

_OPEN = text("""
    INSERT INTO charges (subscription_id, period_start, period_end, amount, tax_free, vat_amount, currency, order_name,
                         status, status_reason, status_at, next_attempt_at, created_at)
    SELECT v.subscription_id, v.period_start, v.period_end, v.amount, v.tax_free, v.vat_amount, v.currency,
           v.order_name, v.status, v.reason, :now, CASE WHEN v.status = 'due' THEN v.period_start END, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(
        subscription_id bigint, period_start timestamptz, period_end timestamptz, amount bigint, tax_free bigint,
        vat_amount bigint, currency text, order_name text, status text, reason text)
    ON CONFLICT (subscription_id, period_start) DO NOTHING
    RETURNING id, status
""")

_ADVANCE = text("""
    UPDATE subscriptions s
    SET next_charge_at = v.next_charge_at, current_period_start = v.current_period_start,
        current_period_end = v.current_period_end,
        waiting_since = CASE WHEN v.waits THEN COALESCE(s.waiting_since, CAST(:now AS timestamptz)) END,
        status = CASE WHEN s.status = 'trialing' THEN 'active' ELSE s.status END,
        status_reason = CASE WHEN s.status = 'trialing' THEN 'the trial is over' ELSE s.status_reason END,
        status_at = CASE WHEN s.status = 'trialing' THEN CAST(:now AS timestamptz) ELSE s.status_at END
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(
        id bigint, expected timestamptz, next_charge_at timestamptz, current_period_start timestamptz,
        current_period_end timestamptz, waits boolean)
    WHERE s.id = v.id AND s.next_charge_at = v.expected
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class DueSubscription:
    """A locked subscription whose next charge is due, with its plan's columns as they are: they may be unreadable."""

    id: int
    anchor_on: date
    next_charge_at: datetime
    has_key: bool
    unpaid: int
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


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCharge:
    """A charge to be opened."""

    subscription_id: int
    period_start: datetime
    period_end: datetime
    amount: int
    tax_free: int
    vat_amount: int | None
    currency: str
    order_name: str
    status: ChargeStatus
    reason: str


@dataclass(frozen=True, slots=True)
class OpenedCharge:
    """A charge that has just been opened."""

    id: int
    status: ChargeStatus


Place = tuple[datetime, int]
"""A place in the order of due subscriptions: when the next charge is due, and the subscription's id."""

START: Place = (datetime.min.replace(tzinfo=UTC), 0)


def due_subscriptions(session: Session, *, after: Place, now: datetime, limit: int) -> Sequence[DueSubscription]:
    """Lock the next `limit` subscriptions whose next charge is due, each with its plan; others skip these rows."""
    parameters = {"now": now, "limit": limit, "after_at": after[0], "after_id": after[1]}
    return [_due(row) for row in session.execute(_DUE, parameters)]


def due_subscription(session: Session, subscription_id: int, *, now: datetime) -> DueSubscription | None:
    """Return a locked subscription with its plan, if a period of it has started and has no charge yet."""
    row = session.execute(_DUE_NOW, {"id": subscription_id, "now": now}).one_or_none()
    return None if row is None else _due(row)


def open_charges(session: Session, new: Iterable[NewCharge], *, now: datetime) -> Sequence[OpenedCharge]:
    """Open charges; a period that has its charge already is left alone. Returns the new ones."""
    opened = session.execute(_OPEN, {"rows": as_rows(map(asdict, new)), "now": now})
    return [OpenedCharge(row.id, ChargeStatus(row.status)) for row in opened]


def advance(session: Session, rows: Iterable[Mapping[str, Any]], *, now: datetime) -> None:
    """Move subscriptions to the first period that has no charge yet."""
    session.execute(_ADVANCE, {"rows": as_rows(rows), "now": now})


def open_due_now(session: Session, row: DueSubscription, *, now: datetime) -> None:
    """Open the charges of a locked subscription's periods that have started by now, however many no tick has opened."""
    opening = opening_of(row, now=now)
    open_charges(session, charges_of(row, opening), now=now)
    advance(session, [advanced(row, opening)], now=now)


def opening_of(row: DueSubscription, *, now: datetime) -> Opening:
    """Return what becomes of every period of a subscription that has started by now and has no charge yet."""
    return opening_by(plan_of(row), row, now=now, cap=sys.maxsize)


def opening_by(plan: Plan, row: DueSubscription, *, now: datetime, cap: int) -> Opening:
    """Return what becomes of the first `cap` periods: what the plan's catch-up policy and its limit leave open.

    Behind a dead key each further charge is one more that is unpaid; with a good one, what is behind is caught up with.
    """
    opening = due_periods(plan, row.anchor_on, next_charge_at=row.next_charge_at, now=now, cap=cap)
    if row.has_key and row.unpaid < plan.max_open_charges:
        return opening
    return within(opening, max(plan.max_open_charges - row.unpaid, 0))


def charges_of(row: DueSubscription, opening: Opening) -> Iterator[NewCharge]:
    """Return the charges to open. A period that the catch-up policy skips gets a void one: nothing due is forgotten."""
    for period in opening.open:
        yield _charge(row, period, ChargeStatus.DUE, "its period began")
    for period in opening.void:
        yield _charge(row, period, ChargeStatus.VOID, f"skipped by the plan's catch-up policy ({row.catch_up})")
    for period in opening.beyond:
        yield _charge(row, period, ChargeStatus.VOID, f"{BEYOND} ({row.max_open_charges})")


def advanced(row: DueSubscription, opening: Opening) -> Mapping[str, Any]:
    """Return where the subscription stands once the charges of an opening, which has one at least, are open."""
    newest = max((*opening.open, *opening.void, *opening.beyond), key=lambda period: period.start)
    return {
        "id": row.id,
        "expected": row.next_charge_at,
        "next_charge_at": opening.next_charge_at,
        "current_period_start": newest.start,
        "current_period_end": newest.end,
        "waits": bool(opening.beyond),
    }


def _due(row: Row[Any]) -> DueSubscription:
    return DueSubscription(**row._mapping)  # noqa: SLF001 - public


def _charge(row: DueSubscription, period: BillingPeriod, status: ChargeStatus, reason: str) -> NewCharge:
    return NewCharge(
        subscription_id=row.id,
        period_start=period.start,
        period_end=period.end,
        amount=row.amount,
        tax_free=row.tax_free,
        vat_amount=row.vat_amount,
        currency=row.currency,
        order_name=row.name,
        status=status,
        reason=reason,
    )
