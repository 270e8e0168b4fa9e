"""The schema's history. Alembic is configured here in code, so the package carries everything it needs.

It is imported where the schema changes: what only asks which revision there is, as every command does, goes without.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, text

from worker.database.encodings import require_utf8

if TYPE_CHECKING:
    from alembic.config import Config

_VERSIONS = Path(__file__).parent / "versions"

_HAS_REVISION = text("SELECT to_regclass('alembic_version') IS NOT NULL")
_REVISION = text("SELECT version_num FROM alembic_version")


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "worker:database/migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest revision, in one transaction; safe to run twice and from two places.

    Raises Refused for a database whose encoding cannot keep what customers, banks and PGs write.
    """
    from alembic import command

    with engine.begin() as connection:
        require_utf8(connection)
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('again.migrate'))")
        command.upgrade(_config(connection), "head")


def downgrade(engine: Engine, revision: str) -> None:
    """Go back to a revision (`base` removes everything)."""
    from alembic import command

    with engine.begin() as connection:
        command.downgrade(_config(connection), revision)


def newest() -> str:
    """Name the revision this version of Again needs."""
    return max(_revisions())


def is_known(revision: str) -> bool:
    """Return whether this version of Again has the revision; a newer version may have migrated the database."""
    return revision in _revisions()


def current(engine: Engine) -> str | None:
    """Name the revision the database is at; None when it was never migrated."""
    with engine.connect() as connection:
        if not connection.scalar(_HAS_REVISION):
            return None
        return connection.scalars(_REVISION).one_or_none()


def _revisions() -> set[str]:
    """Read the revisions off the names of their files, which begin with them: 0001_the_first_tables.py."""
    return {file.name.partition("_")[0] for file in _VERSIONS.glob("[0-9]*.py")}
