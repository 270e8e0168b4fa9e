"""Looking for what looks like the same customer reads a few rows, however many there are."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, TextClause, text

from worker.subscriptions import duplicate_queries

SUBSCRIPTIONS = 5000

BOOK = f"""
    INSERT INTO plans (code, name, amount, tax_free, currency, cadence, time_zone, charge_hour, trial_days, catch_up,
                       dunning, created_at)
    VALUES ('gold', 'Gold', 9900, 0, 'KRW', 'month', 'Asia/Seoul', 10, 0, 'all', '1', now());
    INSERT INTO billing_keys (customer_uid, pg, label, status, status_at, created_at)
    SELECT 'uid-' || n, 'kakaopay', '', 'active', now(), now() FROM generate_series(1, {SUBSCRIPTIONS}) n;
    INSERT INTO subscriptions (code, customer_reference, plan_id, billing_key_id, status, status_at, anchor_on,
                               next_charge_at, created_at)
    SELECT lpad(k.id::text, 13, '0'), 'customer-' || k.id, p.id, k.id, 'active', now(), '2026-01-31', now(), now()
    FROM plans p, billing_keys k
"""


@pytest.mark.parametrize("analyzed", [False, True])
@pytest.mark.parametrize(
    ("query", "index"),
    [
        (duplicate_queries._OF_REFERENCE, "subscriptions_look_alike_idx"),
        (duplicate_queries._OF_KEY, "subscriptions_billing_key_id_idx"),
        (duplicate_queries._OF_ANOTHER, "subscriptions_billing_key_id_idx"),
    ],
    ids=["reference", "key", "another"],
)
def test_a_look_alike_is_found_by_its_index(engine: Engine, query: TextClause, index: str, analyzed: bool):
    with engine.begin() as connection:
        for statement in BOOK.split(";"):
            connection.execute(text(statement))
        if analyzed:
            connection.execute(text("ANALYZE"))
        plan = connection.scalars(text(f"EXPLAIN {query.text}"), {"code": "0000000000777"}).all()
    assert index in "\n".join(plan)
