"""A large book, made by INSERT ... SELECT without triggers: months of paid charges, and a few of every other fate."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, text

MONTH = timedelta(days=30)

CHUNK = 500_000

_PLAN = """
    INSERT INTO plans (code, name, amount, tax_free, currency, cadence, time_zone, charge_hour, trial_days, catch_up,
                       dunning, created_at)
    SELECT code, 'Plan', 9900, 0, 'KRW', 'month', 'Asia/Seoul', 10, 0, 'all', '1,3,5,7', :now
    FROM unnest(ARRAY['large', 'small']) code
"""

# Two in a hundred are dead.
_KEYS = """
    INSERT INTO billing_keys (customer_uid, pg, label, status, status_at, created_at)
    SELECT 'key-' || n, (ARRAY['kakaopay', 'naverpay', 'html5_inicis'])[1 + n % 3], '',
           CASE WHEN n % 50 = 0 THEN 'dead' ELSE 'active' END, :born, :born
    FROM generate_series(:first, :last) n
"""

# Five in a hundred have ended; two are past due by a decline, and two behind a dead key.
_SUBSCRIPTIONS = """
    INSERT INTO subscriptions (code, customer_reference, plan_id, billing_key_id, status, status_at, anchor_on,
                               current_period_start, current_period_end, next_charge_at, created_at)
    SELECT lpad(n::text, 13, '0'), 'customer-' || n, CASE WHEN n % 1000 = 7 THEN 2 ELSE 1 END, n, of.status, :born,
           '2025-01-01', of.start, of.start + interval '30 days',
           CASE WHEN of.status <> 'ended' THEN of.start + interval '30 days' END, :born
    FROM generate_series(:first, :last) n
    CROSS JOIN LATERAL (
        SELECT date_trunc('second', CAST(:now AS timestamptz) - (:count - n) * CAST(:apart AS interval)) AS start,
               CASE WHEN n % 20 = 9 THEN 'ended' WHEN n % 50 IN (0, 1) THEN 'past_due' ELSE 'active' END AS status
    ) of
"""

# The newest month of those that are past due is unpaid; of the months before, one in a hundred was given up or skipped.
_CHARGES = """
    INSERT INTO charges (subscription_id, period_start, period_end, amount, tax_free, currency, order_name, status,
                         status_at, queue, next_attempt_at, paid_at, wait_reason, declines, first_declined_at,
                         created_at)
    SELECT n, of.start, of.start + interval '30 days', 9900, 0, 'KRW', 'Plan', of.status, of.start,
           (ARRAY['kakaopay', 'naverpay', 'html5_inicis'])[1 + n % 3],
           CASE WHEN of.status = 'past_due' AND n % 50 = 1 THEN CAST(:now AS timestamptz) + interval '1 day' END,
           CASE WHEN of.status = 'paid' THEN of.start END,
           CASE WHEN of.status = 'past_due' THEN CASE WHEN n % 50 = 1 THEN 'dunning' ELSE 'other_key' END END,
           CASE WHEN of.status IN ('past_due', 'uncollectible') THEN 1 ELSE 0 END,
           CASE WHEN of.status IN ('past_due', 'uncollectible') THEN of.start END, of.start
    FROM generate_series(:first, :last) n
    CROSS JOIN LATERAL (
        SELECT date_trunc('second', CAST(:now AS timestamptz) - (:count - n) * CAST(:apart AS interval)
               - :ago * interval '30 days') AS start,
               CASE WHEN :ago = 0 AND n % 50 IN (0, 1) THEN 'past_due'
                    WHEN :ago > 0 AND n % 200 = 3 THEN 'uncollectible'
                    WHEN :ago > 0 AND n % 200 = 4 THEN 'void' ELSE 'paid' END AS status
    ) of
"""

# One in twenty was paid at the second try.
_ATTEMPTS = """
    INSERT INTO attempts (charge_id, billing_key_id, number, merchant_uid, status, status_at, sends, started_at,
                          lease_until, settled_at, imp_uid, decline_kind)
    SELECT c.id, c.subscription_id, number, 'again' || lpad(c.subscription_id::text, 13, '0')
               || to_char(c.period_start AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS') || '00' || number,
           of.status, c.status_at, 1, c.status_at, c.status_at + interval '2 minutes', c.status_at,
           CASE WHEN of.status = 'paid' THEN 'imps_' || c.id END,
           CASE WHEN of.status = 'declined' THEN 'soft' END
    FROM charges c
    CROSS JOIN LATERAL generate_series(1, CASE WHEN c.status = 'paid' AND c.id % 20 = 0 THEN 2 ELSE 1 END) number
    CROSS JOIN LATERAL (
        SELECT CASE WHEN c.status = 'paid' AND (c.id % 20 <> 0 OR number = 2) THEN 'paid' ELSE 'declined' END AS status
    ) of
    WHERE c.id BETWEEN :first AND :last AND c.status <> 'void'
"""

_ITEMS = """
    INSERT INTO charge_items (charge_id, position, kind, description, quantity, unit_amount, amount, tax_free)
    SELECT c.id, 1, 'plan', c.order_name, 1, c.amount, c.amount, c.tax_free
    FROM charges c WHERE c.id BETWEEN :first AND :last
"""

_AUDIT = """
    INSERT INTO audit (at, actor, entity, entity_id, from_status, to_status, reason)
    SELECT c.status_at, 'again-worker', 'charge', c.id, 'charging', c.status, 'paid'
    FROM charges c WHERE c.id BETWEEN :first AND :last
"""

# Where everything starts that has been worked with all along.
_SEEN = "UPDATE database_identity SET identity = current_identity(), seen_at = :now, mode = 'sandbox', prefix = 'again'"


# Rows are written several times as fast while no index but those of constraints follows them.
_INDEXES = """
    SELECT c.relname AS name, pg_get_indexdef(c.oid) AS definition
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
    WHERE t.relname = ANY(ARRAY['billing_keys', 'subscriptions', 'charges', 'charge_items', 'attempts'])
      AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = c.oid)
"""

JUDGED = """
    UPDATE invariant_position SET settled = now.ids, judged = now.ids, pending = now.ids, database = current_identity()
    FROM (SELECT jsonb_build_object(
        'audit', (SELECT max(id) FROM audit), 'consents', 0,
        'charges', (SELECT max(id) FROM charges), 'attempts', (SELECT max(id) FROM attempts)) AS ids) now
"""
"""Has the invariants judged what is there."""


def fill(engine: Engine, *, now: datetime, subscriptions: int, months: int = 1, attempted: int | None = None) -> None:
    """Fill an empty, migrated database. Only charges of the last `attempted` months have attempts; else all of them."""
    with engine.begin() as connection:
        indexes = connection.execute(text(_INDEXES)).all()
        for index in indexes:
            connection.execute(text(f"DROP INDEX {index.name}"))
    born = now - MONTH * (months + 1)
    values = {"now": now, "born": born, "count": subscriptions, "apart": MONTH / subscriptions}
    _run(engine, [(_PLAN, values), (_SEEN, values)])
    _run(engine, [(_KEYS, {**values, **part}) for part in _parts(subscriptions)])
    _run(engine, [(_SUBSCRIPTIONS, {**values, **part}) for part in _parts(subscriptions)])
    _run(
        engine,
        [
            (_CHARGES, {**values, **part, "ago": months - 1 - month})
            for month in range(months)
            for part in _parts(subscriptions)
        ],
    )
    first = 1 + subscriptions * (months - (attempted or months))
    _run(engine, [(_ATTEMPTS, part) for part in _parts(subscriptions * months, first)])
    _run(engine, [(_ITEMS, part) for part in _parts(subscriptions * months)])
    _run(engine, [(_AUDIT, part) for part in _parts(subscriptions * months, first)])
    _run(engine, [(index.definition.replace(":", r"\:"), {}) for index in indexes])


def _parts(count: int, first: int = 1) -> list[dict[str, Any]]:
    return [{"first": start, "last": min(start + CHUNK - 1, count)} for start in range(first, count + 1, CHUNK)]


def _run(engine: Engine, statements: list[tuple[str, dict[str, Any]]]) -> None:
    for statement, values in statements:
        with engine.begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            used = {name: value for name, value in values.items() if f":{name}" in statement}
            connection.execute(text(statement), used)
