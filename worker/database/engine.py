"""Engines and sessions. An engine belongs to one process and is made after the fork."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session, sessionmaker

from worker.database.error_texts import listen_to_errors
from worker.database.transactions import guard

Sessions = sessionmaker[Session]

RECYCLE_SECONDS = 900
"""No connection lasts longer, so that an address that leads elsewhere by now is followed."""

# A connection whose other end is gone is noticed after a minute.
UNLESS_IN_THE_ADDRESS = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}


class InvalidDatabaseUrl(ValueError):
    """The database address cannot be read; give postgresql://user:password@host:5432/name."""


def create_database_engine(url: str, *, actor: str) -> Engine:
    """Make an engine whose connections carry the actor's name, which the audit triggers write down.

    Connects to nothing yet. TLS and the like come with the address (`?sslmode=verify-full`), and so does whatever else
    libpq knows (`?options=-csearch_path%3Dbilling`): what stands there wins, as PGOPTIONS does.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # a port that is no number is a ValueError
        raise InvalidDatabaseUrl(
            "AGAIN_DATABASE_URL cannot be read; give postgresql://user:password@host:5432/name"
        ) from None
    if "@" in (parsed.host or ""):
        raise InvalidDatabaseUrl(
            "AGAIN_DATABASE_URL has an @ in its user or password; write it as %40, or part of it is taken for a host"
        )
    if parsed.get_backend_name() != "postgresql":
        raise InvalidDatabaseUrl(
            f"AGAIN_DATABASE_URL names {parsed.get_backend_name()!r}; Again works with PostgreSQL 14 or newer: "
            "give postgresql://user:password@host:5432/name"
        )
    engine = create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        hide_parameters=True,  # an error's text would show them, customer_uids among them
        pool_recycle=RECYCLE_SECONDS,
        # Guarded UPDATEs that wait for one another go on with what the other has written, whatever the role's default.
        isolation_level="READ COMMITTED",
        connect_args={
            **{name: value for name, value in UNLESS_IN_THE_ADDRESS.items() if name not in parsed.query},
            "application_name": actor[:63],
            "client_encoding": "UTF8",
            # Bulk statements are planned anew each time: a plan kept from when a table was empty scans it for ever.
            # PgBouncer's transaction pooling works this way too.
            "prepare_threshold": None,
        },
    )
    guard(engine)
    listen_to_errors(engine)
    return engine


def session_factory(engine: Engine) -> Sessions:
    """Leaving `with sessions.begin()` is the commit; an exception inside it is the rollback."""
    return sessionmaker(engine, expire_on_commit=False)
