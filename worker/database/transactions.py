"""What every connection and every transaction of ours begins with, whatever the server, the role or a pooler has set.

Nothing of it is asked for in the startup packet: PgBouncer refuses `options` there. And what is set for a session ends
up with another client behind a transaction pooler, so it is set for the transaction, in one round trip.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import InvalidatePoolError

READING = {
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
}
"""How values are written and read: psycopg, for one, reads no dates but those in ISO's style."""

GUARDS = {
    "lock_timeout": "30s",
    # A worker that freezes or vanishes inside a transaction must not hold its locks for ever.
    "idle_in_transaction_session_timeout": "60s",
    "random_page_cost": "1.1",
}
"""What an operator may set otherwise in the address (`?options=-c lock_timeout=10s`) or in PGOPTIONS."""

# A server that crashes must not forget an attempt whose request has left since.
_DURABLE = """set_config('synchronous_commit', CASE current_setting('synchronous_commit')
    WHEN 'off' THEN 'local' ELSE current_setting('synchronous_commit') END, true)"""

# These two are followed by PgBouncer from server to server, and hold for what runs outside of transactions as well.
_CONNECTED = "SELECT set_config('DateStyle', 'ISO, YMD', false), set_config('TimeZone', 'UTC', false)"

# What came with the startup packet: the operator's own wish.
_WISHED = "SELECT name FROM pg_settings WHERE source = 'client' AND name = ANY(%s)"

_MISSING = text("""
    SELECT name FROM pg_settings
    WHERE name IN ('lock_timeout', 'idle_in_transaction_session_timeout') AND setting = '0' ORDER BY name
""")

_FRESH, _BEGIN = "again.fresh", "again.begin"


def guard(engine: Engine) -> None:
    """Let every connection of an engine begin as it must, and leave those that have become read-only."""
    event.listen(engine, "connect", _connected)
    event.listen(engine, "checkout", _checked_out)
    event.listen(engine, "begin", _begun)


def missing_guards(connection: Connection) -> list[str]:
    """Name the guards against waiting for ever that a transaction of ours does not have."""
    return list(connection.scalars(_MISSING))


def _connected(connection: Any, record: Any) -> None:
    """Set what holds for the connection, outside of any transaction that could be rolled back."""
    before, connection.autocommit = connection.autocommit, True
    with connection.cursor() as cursor:
        cursor.execute(_CONNECTED)
        wished = set()
        if connection.pgconn.options:
            wished = {row[0] for row in cursor.execute(_WISHED, (list(GUARDS),))}
    connection.autocommit = before
    record.info[_FRESH] = True
    record.info[_BEGIN] = _beginning({name: value for name, value in GUARDS.items() if name not in wished})


def _beginning(guards: Mapping[str, str]) -> str:
    settings = [f"set_config('{name}', '{value}', true)" for name, value in {**READING, **guards}.items()]
    return f"SELECT {', '.join([*settings, _DURABLE])}"


def _checked_out(connection: Any, record: Any, _: Any) -> None:
    """Leave a connection whose server was, or has become, a standby: the primary may be elsewhere by now.

    PostgreSQL tells so by itself, without a question. What has only just been connected is taken as it is: a database
    that is read-only can be read.
    """
    if record.info.pop(_FRESH, False):
        return
    told = (connection.pgconn.parameter_status(name) for name in (b"in_hot_standby", b"default_transaction_read_only"))
    if b"on" in told:
        raise InvalidatePoolError


def _begun(connection: Connection) -> None:
    raw = connection.connection
    if raw.driver_connection is not None and not raw.driver_connection.autocommit:
        connection.exec_driver_sql(raw.info[_BEGIN])
