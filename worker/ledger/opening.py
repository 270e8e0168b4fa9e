"""Opening charges: the rows of periods that have started, for every due subscription or for one at this instant."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from schedules.periods import BillingPeriod, Opening, due_periods, within
from schedules.plans import Plan
from worker.database.bulk import as_rows
from worker.database.mapping import plan_of
from worker.domain.states import ChargeStatus
from worker.ledger.due_subscriptions import DueSubscriptions

BEYOND = "it passed while as many charges were unpaid as the plan allows"

_OPEN = text("""
    WITH opened AS (
        INSERT INTO charges (subscription_id, period_start, period_end, amount, tax_free, vat_amount, currency,
                             order_name, status, status_reason, status_at, next_attempt_at, queue, created_at)
        SELECT subscription_id, v.period_start, v.period_end, v.amount, v.tax_free, v.vat_amount, v.currency,
               v.order_name, v.status, v.reason, :now, CASE WHEN v.status = 'due' THEN v.period_start END, v.queue, :now
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(
            subscription_ids bigint[], period_start timestamptz, period_end timestamptz, amount bigint, tax_free bigint,
            vat_amount bigint, currency text, order_name text, status text, reason text, queue text),
            unnest(v.subscription_ids) AS subscription_id
        ON CONFLICT (subscription_id, period_start) DO NOTHING
        RETURNING id, status
    )
    SELECT array_agg(id) FILTER (WHERE status = 'due') AS due, count(*) FILTER (WHERE status <> 'due') AS void
    FROM opened
""")

# Not `=`: an index of instants must not be gone through for a row whose id is known.
_ADVANCE = text("""
    UPDATE subscriptions s
    SET next_charge_at = v.next_charge_at, current_period_start = v.current_period_start,
        current_period_end = v.current_period_end,
        waiting_since = CASE WHEN v.waits THEN COALESCE(s.waiting_since, CAST(:now AS timestamptz)) END,
        status = CASE WHEN s.status = 'trialing' THEN 'active' ELSE s.status END,
        status_reason = CASE WHEN s.status = 'trialing' THEN 'the trial is over' ELSE s.status_reason END,
        status_at = CASE WHEN s.status = 'trialing' THEN CAST(:now AS timestamptz) ELSE s.status_at END
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(
        ids bigint[], expected timestamptz, next_charge_at timestamptz, current_period_start timestamptz,
        current_period_end timestamptz, waits boolean), unnest(v.ids) AS due_id
    WHERE s.id = due_id AND s.next_charge_at IS NOT DISTINCT FROM v.expected
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCharge:
    """A charge to be opened for the same period of each of these subscriptions."""

    subscription_ids: Sequence[int]
    period_start: datetime
    period_end: datetime
    amount: int
    tax_free: int
    vat_amount: int | None
    currency: str
    order_name: str
    status: ChargeStatus
    reason: str
    queue: str | None = None  # the one of its billing key, if it is known; else the database looks it up


@dataclass(frozen=True, slots=True)
class OpenedCharges:
    """Charges that have just been opened: the ids of those that are due, and how many are void."""

    due: Sequence[int]
    void: int


def open_charges(session: Session, new: Iterable[NewCharge], *, now: datetime) -> OpenedCharges:
    """Open charges; a period that has its charge already is left alone. Returns the new ones."""
    row = session.execute(_OPEN, {"rows": as_rows(map(_columns, new)), "now": now}).one()
    return OpenedCharges(row.due or (), row.void)


def advance(session: Session, rows: Iterable[Mapping[str, Any]], *, now: datetime) -> None:
    """Move subscriptions to the first period that has no charge yet."""
    session.execute(_ADVANCE, {"rows": as_rows(rows), "now": now})


def open_due_now(session: Session, due: DueSubscriptions, *, now: datetime) -> None:
    """Open the charges of a locked subscription's periods that have started by now, however many no tick has opened."""
    opening = opening_of(due, now=now)
    open_charges(session, charges_of(due, opening), now=now)
    advance(session, [advanced(due, opening)], now=now)


def opening_of(due: DueSubscriptions, *, now: datetime) -> Opening:
    """Return what becomes of every period of a subscription that has started by now and has no charge yet."""
    return opening_by(plan_of(due), due, now=now, cap=sys.maxsize)


def opening_by(plan: Plan, due: DueSubscriptions, *, now: datetime, cap: int) -> Opening:
    """Return what becomes of the first `cap` periods: what the plan's catch-up policy and its limit leave open.

    Behind a dead key each further charge is one more that is unpaid; with a good one, what is behind is caught up with.
    """
    opening = due_periods(plan, due.anchor_on, next_charge_at=due.next_charge_at, now=now, cap=cap)
    if due.has_key and due.unpaid < plan.max_open_charges:
        return opening
    return within(opening, max(plan.max_open_charges - due.unpaid, 0))


def charges_of(due: DueSubscriptions, opening: Opening) -> Iterator[NewCharge]:
    """Return the charges to open. A period that the catch-up policy skips gets a void one: nothing due is forgotten."""
    for period in opening.open:
        yield _charge(due, period, ChargeStatus.DUE, "its period began")
    for period in opening.void:
        yield _charge(due, period, ChargeStatus.VOID, f"skipped by the plan's catch-up policy ({due.catch_up})")
    for period in opening.beyond:
        yield _charge(due, period, ChargeStatus.VOID, f"{BEYOND} ({due.max_open_charges})")


def advanced(due: DueSubscriptions, opening: Opening) -> Mapping[str, Any]:
    """Return where subscriptions stand once the charges of an opening, which has one at least, are open."""
    newest = max((*opening.open, *opening.void, *opening.beyond), key=lambda period: period.start)
    return {
        "ids": due.ids,
        "expected": due.next_charge_at,
        "next_charge_at": opening.next_charge_at,
        "current_period_start": newest.start,
        "current_period_end": newest.end,
        "waits": bool(opening.beyond),
    }


def _charge(due: DueSubscriptions, period: BillingPeriod, status: ChargeStatus, reason: str) -> NewCharge:
    return NewCharge(
        subscription_ids=due.ids,
        period_start=period.start,
        period_end=period.end,
        amount=due.amount,
        tax_free=due.tax_free,
        vat_amount=due.vat_amount,
        currency=due.currency,
        order_name=due.name,
        status=status,
        reason=reason,
        queue=due.queue,
    )


def _columns(new: NewCharge) -> Mapping[str, Any]:
    return {field.name: getattr(new, field.name) for field in fields(new)}
