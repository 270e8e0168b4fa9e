"""The schema's history. Alembic is configured here in code, so the package carries everything it needs."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine

from worker.database.encodings import require_utf8


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "worker:database/migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest revision, in one transaction; safe to run twice and from two places.

    Raises Refused for a database whose encoding cannot keep what customers, banks and PGs write.
    """
    with engine.begin() as connection:
        require_utf8(connection)
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('again.migrate'))")
        command.upgrade(_config(connection), "head")


def downgrade(engine: Engine, revision: str) -> None:
    """Go back to a revision (`base` removes everything)."""
    with engine.begin() as connection:
        command.downgrade(_config(connection), revision)


def newest() -> str:
    """Name the revision this version of Again needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def is_known(revision: str) -> bool:
    """Return whether this version of Again has the revision; a newer version may have migrated the database."""
    try:
        return ScriptDirectory.from_config(_config()).get_revision(revision) is not None
    except CommandError:
        return False


def current(engine: Engine) -> str | None:
    """Name the revision the database is at; None when it was never migrated."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()
