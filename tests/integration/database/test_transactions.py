"""What each connection and transaction begins with, whatever server, database, role, address and environment say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, make_url, text
from sqlalchemy.orm import Session

from worker.database import heartbeats, migrations
from worker.database.engine import ReadOnly, create_database_engine
from worker.database.transactions import missing_guards

INSTANT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)

ODD = {
    "datestyle": "German",
    "intervalstyle": "iso_8601",
    "timezone": "America/New_York",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "standard_conforming_strings": "off",
    "array_nulls": "off",
    "default_transaction_isolation": "serializable",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "synchronous_commit": "off",
}


def engine_at(url: str, **query: str) -> Engine:
    return create_database_engine(
        make_url(url).update_query_dict(query).render_as_string(hide_password=False), actor="test"
    )


def shown(engine: Engine, *names: str) -> list[Any]:
    with engine.begin() as connection:
        return [connection.scalar(text(f"SHOW {name}")) for name in names]


def pid(engine: Engine) -> int:
    with engine.begin() as connection:
        return int(connection.scalar(text("SELECT pg_backend_pid()")) or 0)


@pytest.fixture(params=["database", "environment"])
def odd(request: pytest.FixtureRequest, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine where everything that can change how values are read is set otherwise."""
    if request.param == "database":
        plain = engine_at(database_url)
        with plain.begin() as connection:
            for name, value in ODD.items():
                connection.exec_driver_sql(f"ALTER DATABASE {plain.url.database} SET {name} = '{value}'")
        plain.dispose()
    else:
        monkeypatch.setenv("PGDATESTYLE", "German")
        monkeypatch.setenv("PGTZ", "America/New_York")
        monkeypatch.setenv("PGCLIENTENCODING", "EUC_KR")
    engine = engine_at(database_url)
    yield engine
    engine.dispose()


def test_values_are_read_as_they_were_written_whatever_the_settings(odd: Engine):
    written = {
        "at": INSTANT,
        "on_day": INSTANT.date(),
        "span": timedelta(days=3, hours=4),
        "bytes": b"\x00\xff",
        "number": 0.1 + 0.2,
        "words": ["한도초과", None, "a\\b"],
    }
    casts = {
        "at": "timestamptz",
        "on_day": "date",
        "span": "interval",
        "bytes": "bytea",
        "number": "double precision",
        "words": "text[]",
    }
    columns = ", ".join(f"CAST(:{name} AS {kind}) AS {name}" for name, kind in casts.items())
    with odd.begin() as connection:
        row = connection.execute(text(f"SELECT {columns}"), written).one()
        assert row._asdict() == written
        assert row.at.utcoffset() == timedelta(0)


def test_statements_that_commit_by_themselves_read_instants_too(odd: Engine):
    with Session(odd.execution_options(isolation_level="AUTOCOMMIT")) as session:
        heartbeats.beat(session, "test", now=INSTANT)
        assert heartbeats.last_seen(session)["test"] == INSTANT


def test_a_transaction_has_its_guards_whatever_the_settings(odd: Engine):
    names = ("lock_timeout", "idle_in_transaction_session_timeout", "random_page_cost", "transaction_isolation")
    assert shown(odd, *names) == ["30s", "1min", "1.1", "read committed"]
    assert shown(odd, "synchronous_commit") != ["off"], "an attempt whose request has left is not forgotten in a crash"
    with odd.begin() as connection:
        assert missing_guards(connection) == []


def test_guards_end_with_their_transaction(engine: Engine):
    """Behind a pooler the connection is another client's afterwards."""
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.rollback()
        raw.autocommit = True
        assert raw.execute("SHOW lock_timeout").fetchone() == ("0",)
        raw.autocommit = False


# --- what the address and the environment say ------------------------------------------------------------------------


def test_options_of_the_address_choose_the_schema(database_url: str, engine: Engine):
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA billing")
    other = engine_at(database_url, options="-csearch_path=billing")
    migrations.upgrade(other)
    with other.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'billing'")) == len(
            connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        )
        connection.execute(text("INSERT INTO stops VALUES ('all', 'here', 'test', now())"))
        assert connection.scalars(text("SELECT reason FROM billing.audit")).all() == ["here"]
    other.dispose()
    with engine.begin() as connection:
        assert connection.scalars(text("SELECT reason FROM audit")).all() == []


@pytest.mark.parametrize("said", ["-c lock_timeout=7s", "--lock-timeout=7s"])
@pytest.mark.parametrize("where", ["address", "environment"])
def test_guard_set_by_the_operator_wins(database_url: str, monkeypatch: pytest.MonkeyPatch, said: str, where: str):
    if where == "environment":
        monkeypatch.setenv("PGOPTIONS", said)
    engine = engine_at(database_url, **({"options": said} if where == "address" else {}))
    assert shown(engine, "lock_timeout", "idle_in_transaction_session_timeout") == ["7s", "1min"]
    engine.dispose()


def test_a_guard_that_the_operator_switches_off_is_missing(database_url: str):
    engine = engine_at(database_url, options="-c lock_timeout=0")
    with engine.begin() as connection:
        assert missing_guards(connection) == ["lock_timeout"]
    engine.dispose()


def test_connection_settings_of_the_address_win(database_url: str):
    engine = engine_at(database_url, connect_timeout="17", keepalives_idle="600", application_name="psql")
    asked: list[dict[str, Any]] = []
    event.listen(engine, "do_connect", lambda _, __, ___, parameters: asked.append(dict(parameters)))
    assert shown(engine, "application_name") == ["test"], (
        "the audit names who acts, not what an address was copied from"
    )
    assert (str(asked[0]["connect_timeout"]), str(asked[0]["keepalives_idle"])) == ("17", "600")
    assert asked[0]["keepalives_count"] == 3
    engine.dispose()


# --- what has become read-only ----------------------------------------------------------------------------------------


def write(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM stops"))


def test_a_connection_that_turns_out_read_only_is_thrown_away_with_its_pool(engine: Engine):
    with engine.connect() as other:
        before = {pid(engine)}
        before.add(int(other.scalar(text("SELECT pg_backend_pid()")) or 0))
        with pytest.raises(ReadOnly, match="read-only transaction"):
            write(engine.execution_options(postgresql_readonly=True))
    assert pid(engine) not in before
    write(engine)


def test_a_connection_that_says_it_is_read_only_is_not_used_again(engine: Engine):
    with engine.connect() as connection:  # as one to a server that is a standby now
        before = connection.scalar(text("SELECT pg_backend_pid()"))
        connection.execute(text("SET default_transaction_read_only = on"))
        connection.commit()
    write(engine)
    assert pid(engine) != before


def test_a_database_that_is_read_only_is_read_and_written_again_once_it_is_not(database_url: str, engine: Engine):
    write(engine)
    name = engine.url.database
    admin = engine_at(database_url.replace(f"/{name}?", "/postgres?"))
    with admin.begin() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    engine.dispose()
    for _ in range(3):
        assert shown(engine, "transaction_read_only") == ["on"]
        with pytest.raises(ReadOnly):
            write(engine)
    with admin.begin() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    admin.dispose()
    write(engine)
