"""Engines and sessions. An engine belongs to one process and is made after the fork.

What PostgreSQL says about a failure is shortened: its details quote rows, and a customer_uid can be in them.
"""

from __future__ import annotations

import psycopg
from psycopg.errors import ReadOnlySqlTransaction
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

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


WORKER_ACTOR = "worker "
"""How the names of workers' connections begin, and no others: triggers ask for it. Of what a worker does to an ordinary
charge, the audit keeps what no other row tells."""


class InvalidDatabaseUrl(ValueError):
    """The database address cannot be read; give postgresql://user:password@host:5432/name."""


class ReadOnly(OperationalError):
    """The database takes no writes. It is as good as away: the next try connects again.

    After a failover the old primary is a standby, and may be reached for as long as a connection to it lasts.
    """


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
            # Bulk statements are planned again each time: a plan kept from when a table was empty scans it for ever.
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


def without_values(error: BaseException | None) -> str | None:
    """Shorten an error of PostgreSQL's, in place, to its first sentence, and return that; None for any other error.

    Its details quote whole rows ("Failing row contains (...)", "Key (customer_uid)=(...) already exists"), and so does
    the context of a COPY. The sentence names tables, columns and constraints.
    """
    if not isinstance(error, psycopg.Error) or error.diag.message_primary is None:
        return None
    error.args = (error.diag.message_primary,)
    return error.diag.message_primary


def listen_to_errors(engine: Engine) -> None:
    """Shorten every error that comes through an engine; throw its connections away when one of them is read-only."""
    event.listen(engine, "handle_error", _shorten)
    event.listen(engine, "handle_error", _leave_read_only)


def _shorten(context: ExceptionContext) -> None:
    shown = context.sqlalchemy_exception
    if (primary := without_values(context.original_exception)) is not None and shown is not None:
        kind = type(context.original_exception)
        shown.args = (f"({kind.__module__}.{kind.__name__}) {primary}",)


def _leave_read_only(context: ExceptionContext) -> ReadOnly | None:
    original = context.original_exception
    if not isinstance(original, ReadOnlySqlTransaction):
        return None
    context.is_disconnect = True
    return ReadOnly(context.statement, None, original, hide_parameters=True, connection_invalidated=True)
