"""Subscriptions whose next charge is due, and the charges opened for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.database.bulk import as_rows
from worker.ledger.charges import UNPAID

_DUE = text(f"""
    SELECT s.id, s.anchor_on, s.next_charge_at,
           p.code, p.name, p.amount, p.tax_free, p.vat_amount, p.currency, p.cadence, p.time_zone, p.charge_hour,
           p.trial_days, p.catch_up, p.dunning, p.max_open_charges,
           k.status IS NOT DISTINCT FROM 'active' AS has_key, {UNPAID} AS unpaid
    FROM subscriptions s JOIN plans p ON p.id = s.plan_id LEFT JOIN billing_keys k ON k.id = s.billing_key_id
    WHERE s.next_charge_at <= :now AND (s.next_charge_at, s.id) > (:after_at, :after_id)
    ORDER BY s.next_charge_at, s.id
    LIMIT :limit
    FOR UPDATE OF s SKIP LOCKED
""")  # noqa: S608 - constants only

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


Place = tuple[datetime, int]
"""A place in the order of due subscriptions: when the next charge is due, and the subscription's id."""

START: Place = (datetime.min.replace(tzinfo=UTC), 0)


def due_subscriptions(session: Session, *, after: Place, now: datetime, limit: int) -> Sequence[Row[Any]]:
    """Lock the next `limit` subscriptions whose next charge is due, each with its plan; others skip these rows."""
    parameters = {"now": now, "limit": limit, "after_at": after[0], "after_id": after[1]}
    return session.execute(_DUE, parameters).all()


def open_charges(session: Session, rows: Iterable[Mapping[str, Any]], *, now: datetime) -> Sequence[Row[Any]]:
    """Open charges; a period that has its charge already is left alone. Returns the new ones."""
    return session.execute(_OPEN, {"rows": as_rows(rows), "now": now}).all()


def advance(session: Session, rows: Iterable[Mapping[str, Any]], *, now: datetime) -> None:
    """Move subscriptions to the first period that has no charge yet."""
    session.execute(_ADVANCE, {"rows": as_rows(rows), "now": now})
