from __future__ import annotations

import re
from unicodedata import normalize

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from worker.database import migrations
from worker.database.tables.all_tables import metadata
from worker.domain.errors import Refused


def test_the_migrations_build_exactly_the_tables_of_the_models(engine: Engine):
    with engine.connect() as connection:
        partitions = set(connection.scalars(text("SELECT relname FROM pg_class WHERE relispartition")))
        context = MigrationContext.configure(
            connection, opts={"include_name": lambda name, kind, _: kind != "table" or name not in partitions}
        )
        assert compare_metadata(context, metadata) == []


def test_every_migration_can_be_undone_and_done_again(engine: Engine):
    migrations.downgrade(engine, "base")
    with engine.connect() as connection:
        left = connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
    assert left == ["alembic_version"]
    migrations.upgrade(engine)
    assert migrations.current(engine) == migrations.newest()


def test_a_database_of_before_is_as_old_as_its_last_heartbeat(engine: Engine):
    migrations.downgrade(engine, "0001")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO heartbeats (name, seen_at) VALUES ('again.charge', '2026-01-01T00:00Z')"))
    migrations.upgrade(engine)
    with engine.connect() as connection:
        (row,) = connection.execute(
            text("SELECT seen_at = '2026-01-01T00:00Z' AS as_old, mode, prefix FROM database_identity")
        )
    assert tuple(row) == (True, None, None)


SWEPT = """
    INSERT INTO sweeps (reason, holds_claims, since, until, position, started_at, finished_at, lease_until)
    VALUES (:reason, false, now(), now(), now(), now(), now(), now())
"""
SENTENCES = {
    "daily": ("daily", None, None),
    "by hand": ("by_hand", None, None),
    "daily, overtaken by a set clock": ("daily", "clock_set", None),
    "restored, released by cli root@db1, 2": ("restored", "released", "cli root@db1, 2"),
}


def test_sweep_reasons_in_words_are_split_into_columns_and_back(engine: Engine):
    migrations.downgrade(engine, "0017")
    with engine.begin() as connection:
        for reason in SENTENCES:
            connection.execute(text(SWEPT), {"reason": reason})
        connection.execute(text("INSERT INTO heartbeats VALUES ('stopped:all', now()), ('beat', now())"))
    migrations.upgrade(engine)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT reason, ended_early, released_by FROM sweeps ORDER BY id")).all()
        assert [tuple(row) for row in rows] == list(SENTENCES.values())
        assert connection.scalars(text("SELECT scope FROM last_stopped")).all() == ["all"]
        assert connection.scalars(text("SELECT name FROM heartbeats")).all() == ["beat"]
    migrations.downgrade(engine, "0017")
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT reason FROM sweeps ORDER BY id")).all() == list(SENTENCES)
        assert set(connection.scalars(text("SELECT name FROM heartbeats"))) == {"stopped:all", "beat"}


def test_migrating_twice_changes_nothing(engine: Engine):
    migrations.upgrade(engine)
    assert migrations.current(engine) == migrations.newest()


SUBSCRIBED = """
    INSERT INTO plans (code, name, amount, tax_free, currency, cadence, time_zone, charge_hour, trial_days, catch_up,
                       dunning, created_at)
    VALUES ('gold', :name, 9900, 0, 'KRW', 'month', 'Asia/Seoul', 10, 0, 'all', '1', now()) ON CONFLICT DO NOTHING;
    INSERT INTO billing_keys (customer_uid, pg, label, status, status_at, created_at)
    VALUES (:code, 'kakaopay', :name, 'active', now(), now());
    INSERT INTO subscriptions (code, customer_reference, plan_id, billing_key_id, status, status_at, anchor_on,
                               next_charge_at, created_at)
    SELECT CAST(:code AS text), :name, p.id, k.id, 'active', now(), '2026-01-31', now(), now()
    FROM plans p, billing_keys k WHERE p.code = 'gold' AND k.customer_uid = CAST(:code AS text)
"""


def subscribe(engine: Engine, name: str, code: str) -> None:
    with engine.begin() as connection:
        for statement in SUBSCRIBED.split(";"):
            connection.execute(text(statement), {"name": name, "code": code})


def test_texts_of_before_are_brought_into_one_unicode_form(engine: Engine):
    migrations.downgrade(engine, "0003")
    subscribe(engine, normalize("NFD", "홍길동"), "0000000000001")
    migrations.upgrade(engine)
    with engine.connect() as connection:
        (row,) = connection.execute(
            text("SELECT customer_reference, name, label FROM subscriptions, plans, billing_keys")
        )
    assert set(row) == {normalize("NFC", "홍길동")}


def test_a_customer_of_before_in_two_unicode_forms_is_named_and_nothing_migrated(engine: Engine):
    migrations.downgrade(engine, "0003")
    subscribe(engine, normalize("NFC", "홍길동"), "0000000000001")
    subscribe(engine, normalize("NFD", "홍길동"), "0000000000002")
    with pytest.raises(Refused, match=re.escape("0000000000001 and 0000000000002 (plan gold)")):
        migrations.upgrade(engine)
    assert migrations.current(engine) == "0003"


def test_the_database_takes_no_reference_in_another_unicode_form(engine: Engine):
    with pytest.raises(IntegrityError, match="name_check"):
        subscribe(engine, normalize("NFD", "홍길동"), "0000000000001")
    subscribe(engine, normalize("NFC", "홍길동"), "0000000000001")
    for table, column in (("subscriptions", "customer_reference"), ("billing_keys", "label"), ("plans", "name")):
        # Past the trigger that keeps a reference for good.
        past = "FROM (SELECT set_config('session_replication_role', 'replica', true)) without_triggers"
        change = text(f"UPDATE {table} SET {column} = :name {past}")
        with pytest.raises(IntegrityError, match=f"{table}_{column}_check"), engine.begin() as connection:
            connection.execute(change, {"name": normalize("NFD", "홍길동")})


def test_outcomes_of_webhooks_become_codes(engine: Engine):
    migrations.downgrade(engine, "0016")
    said = ["PortOne shows no such payment", "not a payment of ours", "refused: it was paid already", "done", None]
    columns = "imp_uid, merchant_uid, status, received_at, outcome"
    store = f"INSERT INTO webhooks ({columns}) VALUES (:at, 'm', 'paid', now(), :it)"
    with engine.begin() as connection:
        for place, outcome in enumerate(said):
            connection.execute(text(store), {"at": f"imp_{place}", "it": outcome})
    migrations.upgrade(engine)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT outcome_code, outcome_detail FROM webhooks ORDER BY id")).all()
    assert [tuple(row) for row in rows] == [
        ("unknown_payment", None),
        ("not_ours", None),
        ("refused", "it was paid already"),
        ("done", None),
        (None, None),
    ]
    migrations.downgrade(engine, "0016")
    with engine.connect() as connection:
        assert list(connection.scalars(text("SELECT outcome FROM webhooks ORDER BY id"))) == said


OLD_CHARGES = """
INSERT INTO plans (code, name, amount, tax_free, currency, cadence, time_zone, charge_hour, trial_days, catch_up,
                   dunning, created_at)
VALUES ('gold', 'Gold', 9900, 0, 'KRW', 'month', 'Asia/Seoul', 10, 0, 'all', '1,3', now());
INSERT INTO subscriptions (code, customer_reference, plan_id, status, status_at, anchor_on, paused_next_charge_at,
                           created_at)
SELECT '0000000000000', 'member-1', id, 'paused', now(), '2026-01-05', now(), now() FROM plans;
INSERT INTO charges (subscription_id, period_start, period_end, amount, tax_free, currency, order_name, status,
                     status_reason, status_at, next_attempt_at, deferrals, created_at)
SELECT s.id, at, at + interval '1 day', 9900, 0, 'KRW', 'Gold', 'due', reason, now(), now(), deferrals, now()
FROM subscriptions s, (VALUES
    (timestamptz '2026-01-01T00:00Z', 'waits for the next month (soft: [-752])', 1),
    (timestamptz '2026-01-02T00:00Z', 'config: 0 [8001]', 1),
    (timestamptz '2026-01-03T00:00Z', 'connect_failed', 1),
    (timestamptz '2026-01-04T00:00Z', 'opened', 0)
) AS old (at, reason, deferrals)
"""


def test_reasons_of_waiting_charges_become_codes(engine: Engine):
    migrations.downgrade(engine, "0019")
    with engine.begin() as connection:
        connection.execute(text(OLD_CHARGES))
    migrations.upgrade(engine)
    with engine.connect() as connection:
        reasons = connection.scalars(text("SELECT wait_reason FROM charges ORDER BY period_start")).all()
    assert reasons == ["month_quota", "configuration", "not_sent", None]
