"""A backup: every table of a database, and the state of its sequences."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, text

from tests.simulation.engine.database import TABLES

_COPIED = (*TABLES, "database_identity")
_SEQUENCES = """
    SELECT quote_ident(schemaname) || '.' || quote_ident(sequencename) AS name, coalesce(last_value, 0) AS last
    FROM pg_sequences WHERE schemaname = 'public'
"""
_MAKE_ROOM = "; ".join(
    [
        "CREATE SCHEMA IF NOT EXISTS backup",
        *(f"CREATE TABLE IF NOT EXISTS backup.{table} (LIKE public.{table})" for table in _COPIED),
        "CREATE TABLE IF NOT EXISTS backup.sequences (name text, last bigint)",
    ]
)
_COPY = "; ".join(
    f"DELETE FROM backup.{table}; INSERT INTO backup.{table} SELECT * FROM public.{table}" for table in _COPIED
)
_COPY_SEQUENCES = f"DELETE FROM backup.sequences; INSERT INTO backup.sequences {_SEQUENCES}"
_PUT_BACK = "; ".join(
    f"DELETE FROM {table}; INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM backup.{table}"
    for table in _COPIED
)
# Ids are used a second time, as after pg_restore: for other rows than in the lost database.
_PUT_SEQUENCES_BACK = "SELECT setval(name, greatest(last, 1), last > 0) FROM backup.sequences"
_ANOTHER = "UPDATE database_identity SET identity = 'another'"


def back_up(engine: Engine) -> None:
    """Copy the database as it is now; there is one backup, the latest."""
    with engine.begin() as connection:
        connection.exec_driver_sql(_MAKE_ROOM)
        connection.exec_driver_sql(_COPY)
        connection.exec_driver_sql(_COPY_SEQUENCES)


def put_back(engine: Engine) -> None:
    """Restore the backup, as another database than the one it was taken from."""
    with engine.begin() as connection:
        _without_triggers(connection)
        connection.exec_driver_sql(_PUT_BACK)
        connection.exec_driver_sql(_PUT_SEQUENCES_BACK)
        connection.exec_driver_sql(_ANOTHER)


def _without_triggers(connection: Connection) -> None:
    connection.execute(text("SET LOCAL session_replication_role = replica"))
