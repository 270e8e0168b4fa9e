"""Engines and sessions. An engine belongs to one process and is made after the fork."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session, sessionmaker

from worker.database.error_texts import keep_values_out

Sessions = sessionmaker[Session]


class InvalidDatabaseUrl(ValueError):
    """The database address cannot be read; give postgresql://user:password@host:5432/name."""


def create_database_engine(url: str, *, actor: str) -> Engine:
    """Make an engine whose connections carry the actor's name, which the audit triggers write down.

    Connects to nothing yet. TLS and the like come with the address (`?sslmode=verify-full`).
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
        connect_args={
            "application_name": actor[:63],
            "connect_timeout": 5,
            # Bulk statements are planned anew each time: a plan kept from when a table was empty scans it for ever.
            # PgBouncer's transaction pooling works this way too.
            "prepare_threshold": None,
            # A worker that freezes or vanishes inside a transaction must not hold its locks for ever: PostgreSQL ends
            # it after a minute, and a connection whose other end is gone is noticed after one as well.
            "options": (
                "-c timezone=UTC -c lock_timeout=30s -c random_page_cost=1.1 -c idle_in_transaction_session_timeout=60s"
            ),
            "keepalives": 1,
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
        },
    )
    keep_values_out(engine)
    return engine


def session_factory(engine: Engine) -> Sessions:
    """Leaving `with sessions.begin()` is the commit; an exception inside it is the rollback."""
    return sessionmaker(engine, expire_on_commit=False)
