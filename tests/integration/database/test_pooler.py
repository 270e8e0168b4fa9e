"""Behind a transaction pooler as PgBouncer: nothing is refused, and nothing that guards a transaction is lost."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from tests.support.pooler import Pooler
from worker.database import heartbeats, migrations
from worker.database.engine import create_database_engine
from worker.devstack.addresses import Postgres

NAMES = ("lock_timeout", "idle_in_transaction_session_timeout", "random_page_cost", "TimeZone", "DateStyle")
OURS = ["30s", "1min", "1.1", "UTC", "ISO, YMD"]
INSTANT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture
def pooler(postgres: Postgres) -> Iterator[Pooler]:
    with tempfile.TemporaryDirectory(prefix="again-pooler-") as folder:
        pooler = Pooler(Path(folder), postgres.socket_folder)
        yield pooler
        pooler.close()


@pytest.fixture
def pooled(pooler: Pooler, engine: Engine) -> Iterator[Engine]:
    url = f"postgresql://postgres@/{engine.url.database}?host={pooler.folder}"
    pooled = create_database_engine(url, actor="pooled")
    yield pooled
    pooled.dispose()


def shown(connection: object) -> list[str]:
    return [connection.scalar(text(f"SHOW {name}")) for name in NAMES]  # type: ignore[attr-defined]


def test_a_pooler_that_refuses_options_refuses_what_we_used_to_ask(pooler: Pooler, engine: Engine):
    with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter: options"):
        psycopg.connect(
            host=str(pooler.folder), user="postgres", dbname=engine.url.database, options="-c lock_timeout=30s"
        )
    assert pooler.refused == ["options"]


def test_every_transaction_has_its_guards_whichever_connection_it_meets(pooled: Engine):
    met = set()
    for _ in range(4):
        with pooled.begin() as connection:
            assert shown(connection) == OURS
            met.add(connection.scalar(text("SELECT pg_backend_pid()")))
    assert len(met) == 3, "three connections, each met in turn"


def test_guard_is_not_left_to_the_next_client(pooler: Pooler, pooled: Engine, engine: Engine):
    with pooled.begin() as connection:
        assert shown(connection) == OURS
    left = set()
    with pooled.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.autocommit = True
        for _ in range(6):
            row = raw.execute("SELECT current_setting('lock_timeout')").fetchone()
            left.add(None if row is None else row[0])
        raw.autocommit = False
    assert left == {"0"}


def test_instants_and_names_are_right_in_and_out_of_transactions(pooled: Engine, engine: Engine):
    name = engine.url.database
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET datestyle = German")
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET timezone = 'America/New_York'")
    for _ in range(4):
        with Session(pooled.execution_options(isolation_level="AUTOCOMMIT")) as session:
            heartbeats.beat(session, "test", now=INSTANT)
            assert heartbeats.last_seen(session)["test"] == INSTANT
        with Session(pooled) as session:
            assert heartbeats.last_seen(session)["test"] == INSTANT
        with pooled.begin() as connection:
            connection.execute(text("INSERT INTO stops VALUES ('all', 'x', 'x', now())"))
            connection.execute(text("DELETE FROM stops"))
    with engine.begin() as connection:
        assert set(connection.scalars(text("SELECT DISTINCT actor FROM audit"))) == {"pooled"}


def test_tables_are_made_through_a_pooler(pooled: Engine):
    migrations.downgrade(pooled, "base")
    migrations.upgrade(pooled)
    assert migrations.current(pooled) == migrations.newest()
