"""Charges as they are opened: one row per period, with its items in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.bulk import as_rows
from worker.domain.pricing.items import Item
from worker.domain.states import ChargeStatus
from worker.ledger import consent_gate

NOTHING_TO_CHARGE = "nothing is to be charged for it"
"""Why a charge of 0 won is paid as soon as it is opened."""

_OPENED = """
    WITH opened AS (
        INSERT INTO charges (subscription_id, period_start, period_end, amount, tax_free, vat_amount, currency,
                             order_name, status, status_reason, status_at, next_attempt_at, paid_at, queue,
                             covers_until, created_at)
        SELECT subscription_id, v.period_start, v.period_end, v.amount, v.tax_free, v.vat_amount, v.currency,
               v.order_name, v.status, v.reason, :now, CASE WHEN v.status = 'due' THEN v.period_start END,
               CASE WHEN v.status = 'paid' THEN CAST(:now AS timestamptz) END, v.queue, v.covers_until,
               :now
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(
            subscription_ids bigint[], period_start timestamptz, period_end timestamptz, amount bigint, tax_free bigint,
            vat_amount bigint, currency text, order_name text, status text, reason text, queue text,
            covers_until timestamptz),
            unnest(v.subscription_ids) AS subscription_id
        ON CONFLICT (subscription_id, period_start) DO NOTHING
        RETURNING id, subscription_id, order_name, amount, tax_free, vat_amount, status
    )
"""

# A plain charge is made of its plan, so that its item is made of the charge.
_OPEN = text(f"""
    {_OPENED}, itemised AS (
        INSERT INTO charge_items (charge_id, position, kind, description, quantity, unit_amount, amount, tax_free,
                                  vat_amount)
        SELECT o.id, 1, 'plan', o.order_name, s.quantity, o.amount / s.quantity, o.amount, o.tax_free, o.vat_amount
        FROM opened o
        CROSS JOIN LATERAL (SELECT quantity FROM subscriptions WHERE id = o.subscription_id OFFSET 0) s
    )
    SELECT array_agg(id) FILTER (WHERE status = 'due') AS due, count(*) FILTER (WHERE status <> 'due') AS void
    FROM opened
""")  # noqa: S608 - constants only

_OPEN_ONE_BY_ONE = text(f"{_OPENED} SELECT id, subscription_id, status FROM opened")  # noqa: S608 - constants only

_ITEMISE = text("""
    INSERT INTO charge_items (charge_id, position, kind, description, quantity, unit_amount, amount, tax_free,
                              vat_amount, adjustment_id)
    SELECT v.charge_id, v.position, v.kind, v.description, v.quantity, v.unit_amount, v.amount, v.tax_free,
           v.vat_amount, v.adjustment_id
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(
        charge_id bigint, position smallint, kind text, description text, quantity bigint, unit_amount bigint,
        amount bigint, tax_free bigint, vat_amount bigint, adjustment_id bigint)
""")

_ITEMS = text("""
    SELECT kind, description, quantity, unit_amount, amount, tax_free, vat_amount, adjustment_id
    FROM charge_items WHERE charge_id = :id ORDER BY position
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCharge:
    """A charge to be opened for the same period of each of these subscriptions, made of their plan and nothing else."""

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
    covers_until: datetime | None = None  # until when its days are paid, if not to its end: later ones are given


@dataclass(frozen=True, slots=True)
class OpenedCharges:
    """Charges that have just been opened: the ids of those that are due, how many are void, and paid with nothing."""

    due: Sequence[int]
    void: int
    paid: int = 0


@dataclass(frozen=True, slots=True)
class OpenedCharge:
    """One charge that has just been opened."""

    id: int
    subscription_id: int
    status: ChargeStatus


def open_charges(session: Session, new: Iterable[NewCharge], *, now: datetime) -> OpenedCharges:
    """Open charges that are made of their plan alone; a period that has its charge already is left alone."""
    row = session.execute(_OPEN, {"rows": as_rows(map(_columns, new)), "now": now}).one()
    opened = OpenedCharges(row.due or (), row.void)
    consent_gate.judge_opened(session, opened.due, now=now)
    return opened


def open_itemised(
    session: Session, new: Sequence[tuple[NewCharge, Sequence[Item]]], *, now: datetime
) -> Mapping[int, OpenedCharge]:
    """Open one charge of each subscription with the items that it is made of, and return them by subscription.

    A period that has its charge already is left alone, and is not among them.
    """
    rows = as_rows(_columns(charge) for charge, _ in new)
    found = session.execute(_OPEN_ONE_BY_ONE, {"rows": rows, "now": now}).all()
    opened = {row.subscription_id: OpenedCharge(row.id, row.subscription_id, ChargeStatus(row.status)) for row in found}
    made = [
        (opened[charge.subscription_ids[0]].id, items) for charge, items in new if charge.subscription_ids[0] in opened
    ]
    itemise(session, made)
    due = [each.id for each in opened.values() if each.status is ChargeStatus.DUE]
    consent_gate.judge_opened(session, due, now=now)
    return opened


def itemise(session: Session, made: Iterable[tuple[int, Sequence[Item]]]) -> None:
    """Write down what charges are made of, by their ids, in the transaction that opens them."""
    rows = [
        {"charge_id": charge_id, "position": position, **_columns(item)}
        for charge_id, items in made
        for position, item in enumerate(items, 1)
    ]
    if rows:
        session.execute(_ITEMISE, {"rows": as_rows(rows)})


def items_of(session: Session, charge_id: int) -> Sequence[Item]:
    """Return what a charge is made of, line by line."""
    return [Item(**row._mapping) for row in session.execute(_ITEMS, {"id": charge_id})]  # noqa: SLF001 - public


def _columns(row: NewCharge | Item) -> Mapping[str, Any]:
    return {field.name: getattr(row, field.name) for field in fields(row)}
