"""One migrated database for all histories, emptied in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, text

from worker.database.tables.all_tables import metadata

TABLES = tuple(table.name for table in reversed(metadata.sorted_tables) if table.name != "database_identity")
"""Every table but `database_identity`, which always has its one row."""

_EMPTY = "; ".join(f"DELETE FROM {table}" for table in TABLES)

told = 0
"""Number of histories in this run of pytest."""


@contextmanager
def emptied(engine: Engine) -> Iterator[None]:
    """Return the emptied database. Deleting a few rows takes a tenth of the time of truncating the tables."""
    global told  # noqa: PLW0603 - pytest's summary asks for it
    told += 1
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))  # past "never deleted"
        if told % 500 == 0:
            connection.execute(text(f"TRUNCATE {', '.join(TABLES)}"))
        connection.exec_driver_sql(_EMPTY)
    yield
