"""Trouble of every kind ends in one sentence and its exit code, never in a traceback."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import psycopg
import pytest
from sqlalchemy import Engine

from tests.integration.cli.conftest import Again, Tables
from worker.database import migrations
from worker.devstack.addresses import Postgres

EVERY_COMMAND = [
    ("status",),
    ("plan", "add", "gold", "--name", "Gold", "--amount", "9900", "--cadence", "month"),
    ("plan", "list"),
    ("plan", "show", "gold"),
    ("key", "add", "customer_uid_of_gildong", "--pg", "payco"),
    ("key", "list"),
    ("subscribe", "gildong", "--plan", "gold", "--key", "1"),
    ("subscription", "list"),
    ("subscription", "show", "0000000000000"),
    ("subscription", "cancel", "0000000000000"),
    ("subscription", "pause", "0000000000000"),
    ("subscription", "resume", "0000000000000"),
    ("charge", "list"),
    ("charge", "show", "1"),
    ("import", __file__),
    ("stop",),
    ("start",),
]
NOWHERE = "postgresql://again:open-sesame@127.0.0.1:1/books"


@pytest.mark.parametrize("command", [*EVERY_COMMAND, ("migrate",)], ids=" ".join)
@pytest.mark.parametrize("as_json", [(), ("--json",)], ids=["", "json"])
def test_unreachable_database_is_named_without_its_password(again_without_database: Again, command, as_json):
    ended = again_without_database(*command, *as_json, code=4, again_database_url=NOWHERE)
    assert "127.0.0.1:1/books does not answer" in ended.said
    assert "AGAIN_DATABASE_URL" in ended.said
    assert "sesame" not in ended.said
    assert ended.out == ""


def test_a_database_without_tables_says_to_migrate(again: Again, engine: Engine):
    migrations.downgrade(engine, "base")
    for command in EVERY_COMMAND:
        ended = again(*command, code=5)
        assert "run `again migrate`" in ended.err
        assert ended.out == ""


def test_migrating_makes_the_tables_and_says_from_what_to_what(again: Again, engine: Engine):
    migrations.downgrade(engine, "base")
    assert again("migrate", "--json").document == {"from": None, "to": migrations.newest()}
    assert "newest migration already" in again("migrate").out
    again("status")


@pytest.mark.parametrize("command", [("status",), ("migrate",)], ids=" ".join)
def test_a_database_of_a_newer_version_is_left_alone(again: Again, tables: Tables, command):
    tables.sql("UPDATE alembic_version SET version_num = '9999'")
    assert "9999, which this version of Again does not know" in again(*command, code=5).err


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"again_window": "0"}, "AGAIN_MAX_IN_FLIGHT"),
        ({"again_portone_key": "imp_key"}, "AGAIN_PORTONE_SECRET"),  # one without the other
        ({"again_database_url": "mysql://again:open-sesame@localhost/books"}, "works with PostgreSQL"),
        ({"again_database_url": "postgresql://again:open-sesame@localhost:port/books"}, "cannot be read"),
        ({"again_database_url": "nonsense"}, "cannot be read"),
    ],
)
def test_settings_that_do_not_work_are_named(again_without_database: Again, settings, expected):
    ended = again_without_database("status", code=3, **settings)
    assert expected in ended.said
    assert "sesame" not in ended.said


def test_a_user_without_rights_is_told_so(again: Again, tables: Tables, database_url: str):
    tables.sql("CREATE ROLE guest LOGIN")
    try:
        guest = database_url.replace("postgres:@", "guest:@")
        assert "permission denied" in again("status", code=4, again_database_url=guest).err
    finally:
        tables.sql("DROP ROLE guest")


def test_embedded_database_is_created_by_migrate_and_then_used(again_without_database: Again, server_folder: Path):
    folder = str(server_folder / "newcomer" / ".again")
    assert "There is no Again database in" in again_without_database("plan", "list", code=4, again_data_dir=folder).err
    assert "Migrated from nothing" in again_without_database("migrate", again_data_dir=folder).out
    assert again_without_database("plan", "list", "--json", again_data_dir=folder).document == []


def test_a_data_folder_that_cannot_be_used_is_a_sentence(again_without_database: Again, tmp_path: Path):
    (tmp_path / "file").write_text("")
    assert "cannot be used" in again_without_database("migrate", code=4, again_data_dir=str(tmp_path / "file")).said


def test_commands_say_whether_real_money_moves(again: Again):
    live = {"again_portone_key": "imp_key", "again_portone_secret": "imp_secret"}
    assert "sandbox: no real money moves" in again("status").err
    assert "LIVE: real money moves" in again("status", **live).err
    assert again("status", "--json", **live).document["mode"] == "live"  # and nothing on standard error


def test_database_lost_midway_leaves_nothing_half_written(
    again: Again, subscription: str, database_url: str, tables: Tables
):
    tables.charge(subscription)
    with psycopg.connect(database_url) as other, ThreadPoolExecutor() as pool:
        other.execute("SELECT FROM subscriptions FOR UPDATE")  # where the command has to wait
        ended_one = pool.submit(_end_whoever_waits, database_url)
        ended = again("subscription", "cancel", subscription, "--at", "now", code=4)
        assert ended_one.result()
    assert "does not answer" in ended.said
    assert tables.statuses("subscriptions") == ["active"]
    assert tables.statuses("charges") == ["due"]


def _end_whoever_waits(database_url: str) -> bool:
    deadline = monotonic() + 60
    with psycopg.connect(database_url, autocommit=True) as connection:
        while monotonic() < deadline:
            ended = connection.execute("""
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'
            """).fetchall()
            if ended:
                return True
    return False


# --- databases that are no good ---------------------------------------------------------------------------------------

WRITING = [
    ("stop",),
    ("plan", "add", "gold", "--name", "Gold", "--amount", "9900", "--cadence", "month"),
    ("key", "add", "customer_uid_of_gildong", "--pg", "payco"),
    ("sweep", "--restored"),
]


def test_read_only_database_is_reported_and_still_read(
    again: Again, engine: Engine, postgres: Postgres, tmp_path: Path
):
    again("plan", "add", "silver", "--name", "Silver", "--amount", "9900", "--cadence", "month")
    rows = tmp_path / "rows.csv"
    rows.write_text("customer_reference,plan,customer_uid,pg\ngildong,silver,customer_uid_of_gildong,payco\n")
    with psycopg.connect(postgres.url.replace("/again?", "/postgres?"), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {engine.url.database} SET default_transaction_read_only = on")
        for command in (*WRITING, ("import", rows), ("import", rows, "--dry-run")):
            for as_json in ((), ("--json",)):
                ended = again(*command, *as_json, code=4)
                assert "takes no writes: cannot execute" in ended.said
                assert "point AGAIN_DATABASE_URL at the primary" in ended.said
                assert ended.out == ""
        for command in (("status",), ("plan", "list"), ("charge", "list"), ("audit",)):
            again(*command)
        (found,) = again("doctor", "database", "--json", code=1).document
        assert "its transactions are read-only" in found["finding"]
        admin.execute(f"ALTER DATABASE {engine.url.database} RESET default_transaction_read_only")
    again(*WRITING[0], "--no-wait")
    again("doctor", "database")


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1", "EUC_KR"])
def test_a_database_of_another_encoding_is_refused_with_the_way_out(
    again_without_database: Again, postgres: Postgres, encoding: str
):
    name = f"test_{encoding.lower()}"
    url = postgres.url.replace("/again?", f"/{name}?")
    with psycopg.connect(postgres.url.replace("/again?", "/postgres?"), autocommit=True) as admin:
        locale = "ENCODING '{0}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        admin.execute(f"CREATE DATABASE {name} {locale.format(encoding)}")
        try:
            refused = again_without_database("migrate", code=1, again_database_url=url)
            assert f"encoded in {encoding}" in refused.said
            assert f"CREATE DATABASE again {locale.format('UTF8')}" in refused.said
            (found,) = again_without_database("doctor", "database", "--json", code=1, again_database_url=url).document
            assert encoding in found["finding"]
            assert locale.format("UTF8") in found["remedy"]
            with psycopg.connect(url) as connection:
                assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (
                    0,
                )
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("settings", [{"pgdatestyle": "German"}, {"pgoptions": "-c datestyle=SQL,DMY"}])
def test_a_date_style_changes_nothing(again: Again, settings: dict[str, str]):
    again("stop", "--no-wait", **settings)
    assert again("audit", "--json", **settings).document[0]["at"] == again("audit", "--json").document[0]["at"]
    again("doctor", "database", **settings)


def test_disabled_timeout_is_reported_by_doctor(again: Again):
    (found,) = again("doctor", "database", "--json", pgoptions="-c lock_timeout=0").document
    assert (found["health"], "lock_timeout is 0" in found["finding"]) == ("warning", True)
