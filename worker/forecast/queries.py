"""SQL of what is to come: charges that wait, and subscriptions whose next charge comes, in the order of their times.

Facts are read for a batch at a time, each by its id. What cannot be told by them alone `is_planned`: such a
subscription is played instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.database.mapping import OWN_PLAN_COLUMNS
from worker.domain.blockers import ENDS_BY_ITSELF, Blocker
from worker.ledger.adjustments import CHARGED_ONCE, HAS_OPEN
from worker.ledger.blockers import first_of
from worker.ledger.charges import UNPAID
from worker.ledger.due_subscriptions import DueSubscriptions
from worker.ledger.due_subscriptions import Place as Position
from worker.ledger.gate_facts import REGULAR, WAS_FREE

TO_COME = "x.status = 'scheduled' AND x.waits_for IS NULL AND x.effective_at <= :until"
"""The condition that a change `x` takes effect until the last day."""

# IS TRUE hides the status: the index of all changes to come is not read from end to end for one subscription.
_OF_SUBSCRIPTION = f"""
    LEFT JOIN LATERAL (SELECT * FROM billing_keys WHERE id = s.billing_key_id OFFSET 0) k ON true
    CROSS JOIN LATERAL (
        SELECT code, amount, max_open_charges FROM plans WHERE id = s.plan_id OFFSET 0) p
    CROSS JOIN LATERAL (
        SELECT count(*) AS times, min(x.kind) AS kind, min(x.effective_at) AS at, count(x.charge_id) AS of_charges,
               min(CASE WHEN x.kind = 'change_price' THEN CAST(x.parameters ->> 'version' AS smallint) END) AS version
        FROM changes x WHERE x.subscription_id = s.id AND ({TO_COME}) IS TRUE OFFSET 0) x
    LEFT JOIN LATERAL (
        SELECT e.id, {REGULAR.format(charge="e")} AS regular, {WAS_FREE} AS was_free
        FROM (
            SELECT id, amount FROM charges
            WHERE subscription_id = s.id AND status <> 'void' AND gate_held_since IS NULL
            ORDER BY period_start DESC LIMIT 1
        ) e
    ) e ON true
"""  # noqa: S608 - constants only
"""Joins the key `k` of a subscription `s`, what decides of its plan `p`, its changes to come `x` and its last charge
`e`."""

_IS_CANCELED = "x.times = 1 AND x.kind = 'cancel' AND x.of_charges = 0 AND x.at > :now"
_IS_REPRICED = f"""x.times = 1 AND x.kind = 'change_price' AND x.at > :now AND x.at <= s.next_charge_at
    AND x.version <> s.price_version AND NOT {CHARGED_ONCE} AND s.quantity * CASE x.version WHEN 1 THEN p.amount ELSE (
        SELECT n.amount FROM plan_prices n WHERE n.plan_id = s.plan_id AND n.version = x.version) END <= :max_amount"""  # noqa: S608

_OTHERWISE_CHANGED = f"x.times > 0 AND (({_IS_CANCELED}) OR ({_IS_REPRICED})) IS NOT TRUE"
"""The condition that something else than a cancellation or another price is to come of a subscription `s`."""

# What the gate has held is judged again day by day.
_IS_GATED = """EXISTS (
        SELECT FROM charges g WHERE g.subscription_id = s.id AND g.gate_held_since IS NOT NULL
          AND g.status NOT IN ('paid', 'void') OFFSET 0)"""

_IS_PLANNED = f"""({_OTHERWISE_CHANGED} OR s.waiting_since IS NOT NULL OR {_IS_GATED}
    OR k.status = 'active' AND {UNPAID} >= p.max_open_charges
    OR EXISTS (
        SELECT FROM charges o
        CROSS JOIN LATERAL (SELECT FROM discrepancies d WHERE d.charge_id = o.id AND d.status = 'open' OFFSET 0) d
        WHERE o.subscription_id = s.id AND o.status IN ('due', 'charging', 'past_due') OFFSET 0)
    OR EXISTS (SELECT FROM charges o WHERE o.subscription_id = s.id AND o.period_start = s.next_charge_at OFFSET 0))"""  # noqa: S608
"""The condition that more decides about the charges of a subscription `s` than its terms, its key and its holds."""

_HELD = first_of((Blocker.SUBSCRIPTION, Blocker.BILLING_KEY, Blocker.STOP, Blocker.SUBSCRIPTION_HELD))

_WAITING = """
    WITH looked AS MATERIALIZED (
        SELECT * FROM charges
        WHERE status IN ('due', 'past_due') AND {queue}
          AND next_attempt_at <= :until AND (next_attempt_at, id) > (:after_at, :after_id)
        ORDER BY queue, next_attempt_at, id LIMIT :limit
    )
    SELECT c.id, c.next_attempt_at, c.amount, c.period_start, c.status, p.code AS plan, k.pg, s.code AS subscription,
           EXISTS (SELECT FROM attempts a WHERE a.charge_id = c.id OFFSET 0) AS is_retry, {held} AS held,
           CASE WHEN {canceled} THEN x.at END AS canceled_at, {planned} AS is_planned
    FROM looked c CROSS JOIN LATERAL (SELECT * FROM subscriptions WHERE id = c.subscription_id OFFSET 0) s
    {facts}
    LEFT JOIN LATERAL (
        SELECT number, status FROM attempts WHERE charge_id = c.id ORDER BY number DESC LIMIT 1) last ON true
    ORDER BY c.next_attempt_at, c.id
"""
_WAITING_IN, _WAITING_IN_NONE = (
    text(
        _WAITING.format(
            queue=queue,
            held=first_of(set(Blocker) - ENDS_BY_ITSELF - {Blocker.NOT_YET, Blocker.ANOTHER_CHARGE}),
            canceled=_IS_CANCELED,
            planned=_IS_PLANNED,
            facts=_OF_SUBSCRIPTION,
        )
    )
    for queue in ("queue = :queue", "queue IS NULL")
)

_IDS = text("""
    WITH looked AS (
        SELECT id, next_charge_at FROM subscriptions
        WHERE next_charge_at <= :until AND (next_charge_at, id) > (:after_at, :after_id)
        ORDER BY next_charge_at, id LIMIT :limit
    )
    SELECT array_agg(id ORDER BY next_charge_at, id) AS ids, max(next_charge_at) AS last_at FROM looked
""")

_GROUPS = text(f"""
    SELECT g.ids, g.codes, g.is_planned, g.canceled_at, g.held, g.is_repriced, g.regular_before, g.was_free,
           g.anchor_on, g.next_charge_at, g.has_key, g.unpaid, g.queue, g.quantity, g.price_version,
           g.adjusted IS NOT NULL AS is_adjusted, {OWN_PLAN_COLUMNS}
    FROM (
        SELECT s.plan_id, s.anchor_on, s.next_charge_at, k.status IS NOT DISTINCT FROM 'active' AS has_key,
               {UNPAID} AS unpaid, k.pg AS queue, s.quantity,
               CASE WHEN {_IS_REPRICED} THEN x.version ELSE s.price_version END AS price_version,
               CASE WHEN {HAS_OPEN} THEN s.id END AS adjusted, {_IS_PLANNED} AS is_planned,
               CASE WHEN {_IS_CANCELED} THEN x.at END AS canceled_at, {_HELD} AS held,
               COALESCE({_IS_REPRICED}, false) AS is_repriced, e.regular AS regular_before,
               COALESCE(e.was_free, false) AS was_free,
               array_agg(s.id) AS ids, array_agg(s.code) AS codes
        FROM unnest(CAST(:ids AS bigint[])) AS due(id)
        CROSS JOIN LATERAL (SELECT * FROM subscriptions WHERE id = due.id OFFSET 0) s
        CROSS JOIN LATERAL (SELECT s.id AS subscription_id) c
        {_OF_SUBSCRIPTION}
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    ) g CROSS JOIN LATERAL (SELECT * FROM plans WHERE id = g.plan_id OFFSET 0) p
    LEFT JOIN LATERAL (
        SELECT * FROM plan_prices WHERE plan_id = g.plan_id AND version = g.price_version OFFSET 0) v ON true
""")  # noqa: S608 - constants only

_CHANGING = text(f"""
    WITH looked AS MATERIALIZED (
        SELECT x.effective_at, x.id, x.subscription_id FROM changes x
        WHERE {TO_COME} AND (x.effective_at, x.id) > (:after_at, :after_id)
        ORDER BY x.effective_at, x.id LIMIT :limit
    )
    SELECT l.effective_at, l.id, s.code, {_OTHERWISE_CHANGED} AS is_planned
    FROM looked l CROSS JOIN LATERAL (SELECT * FROM subscriptions WHERE id = l.subscription_id OFFSET 0) s
    {_OF_SUBSCRIPTION}
    ORDER BY l.effective_at, l.id
""")  # noqa: S608 - constants only

Parameters = Mapping[str, Any]
"""What every query of one forecast is asked with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingCharge:
    """A charge that waits for its time; `canceled_at` is when its subscription will be over, `held` what blocks it."""

    id: int
    next_attempt_at: datetime
    amount: int
    period_start: datetime
    status: str
    plan: str
    pg: str | None
    subscription: str
    is_retry: bool
    held: str | None
    canceled_at: datetime | None
    is_planned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ComingGroup:
    """Subscriptions that differ in nothing which decides what they will be charged with, and how."""

    due: DueSubscriptions
    codes: Sequence[str]
    is_planned: bool
    is_repriced: bool
    canceled_at: datetime | None
    held: Blocker | None
    regular_before: int | None  # what a whole period cost at the charge before, if there was one
    was_free: bool  # that charge, by a discount


def waiting(
    session: Session, queue: str | None, asked: Parameters, *, after: Position, limit: int
) -> Sequence[WaitingCharge]:
    """Return the next charges that wait in a queue, or in none, after a place in their order."""
    values = {**asked, "queue": queue, "after_at": after[0], "after_id": after[1], "limit": limit}
    rows = session.execute(_WAITING_IN_NONE if queue is None else _WAITING_IN, values)
    return [WaitingCharge(**row._mapping) for row in rows]  # noqa: SLF001 - public


def coming(
    session: Session, asked: Parameters, *, after: Position, limit: int
) -> tuple[Sequence[ComingGroup], Position | None]:
    """Return the next subscriptions whose charge comes, in groups, and where the last one stands; None at the end."""
    values = {**asked, "after_at": after[0], "after_id": after[1], "limit": limit}
    row = session.execute(_IDS, values).one()
    if not row.ids:
        return (), None
    groups = session.execute(_GROUPS, {**asked, "ids": list(row.ids)})
    return [_group(each) for each in groups], (row.last_at, row.ids[-1])


def changing(
    session: Session, asked: Parameters, *, after: Position, limit: int
) -> tuple[Sequence[str], Position | None]:
    """Return the subscriptions that the next changes to come are planned for, and where the last one stands."""
    values = {**asked, "after_at": after[0], "after_id": after[1], "limit": limit}
    rows = session.execute(_CHANGING, values).all()
    codes = [row.code for row in rows if row.is_planned]
    return codes, (rows[-1].effective_at, rows[-1].id) if rows else None


_OF_GROUP = ("codes", "is_planned", "is_repriced", "canceled_at", "regular_before", "was_free")


def _group(row: Row[Any]) -> ComingGroup:
    values = dict(row._mapping)  # noqa: SLF001 - public
    held = values.pop("held")
    own = {name: values.pop(name) for name in _OF_GROUP}
    return ComingGroup(due=DueSubscriptions(**values), held=None if held is None else Blocker(held), **own)
