"""The migration that puts charges into queues, while workers of the release before go on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Engine, text

from tests.integration.database.test_migrations import subscribe
from tests.integration.ledger.test_write_back import until
from worker.database import migrations

CHARGED = """
    INSERT INTO charges (subscription_id, period_start, period_end, amount, tax_free, currency, order_name, status,
                         status_at, next_attempt_at, created_at)
    SELECT id, now(), now() + interval '1 month', 9900, 0, 'KRW', 'Plan', 'due', now(), now(), now()
    FROM subscriptions WHERE code = '0000000000001'
"""
ANOTHER_KEY = """
    INSERT INTO billing_keys (customer_uid, pg, label, status, status_at, created_at)
    VALUES ('another', 'payco', 'card', 'active', now(), now())
"""
REPLACED = "UPDATE subscriptions SET billing_key_id = (SELECT id FROM billing_keys WHERE pg = 'payco')"
WAITS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def test_key_replaced_while_the_queues_are_filled_takes_its_charges_along(engine: Engine):
    migrations.downgrade(engine, "0021")
    subscribe(engine, "customer", "0000000000001")
    with engine.begin() as connection:
        connection.execute(text(CHARGED))
        connection.execute(text(ANOTHER_KEY))
    with ThreadPoolExecutor() as pool:
        with engine.begin() as worker:
            worker.execute(text(REPLACED))
            migrating = pool.submit(migrations.upgrade, engine)
            with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as looking:
                until(lambda: looking.scalar(text(WAITS)) == 1)
        migrating.result()
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT queue FROM charges")).all() == ["payco"]
