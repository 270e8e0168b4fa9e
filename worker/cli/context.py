"""The runtime of one command: settings read, mode said, database reached and migrated, everything closed at the end."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from psycopg.errors import InsufficientPrivilege
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError

from worker.cli import console
from worker.cli.exits import NotMigrated, NotReachable
from worker.database import migrations
from worker.database.clock import APART
from worker.database.engine import ReadOnly
from worker.devstack.addresses import database_address, effective_settings
from worker.runtime import Runtime, open_runtime


@contextmanager
def command_runtime(
    *,
    as_json: bool,
    migrated: bool = True,
    create: bool = False,
    actor_name: str = "",
    same_mode: bool = True,
) -> Iterator[Runtime]:
    """Open the database for one command.

    Raises NotAvailable, NotReachable, NotMigrated for other tables than ours, and WrongDatabase for one that has
    charged in another mode.

    An embedded database is made only with `create`: a command in the wrong folder says so instead of showing nothing.
    Without `same_mode` it may have charged in another one: for what only reads, and is given no key of PortOne's.
    `actor_name` goes into the audit where it is not the person at the keyboard who acts.
    Nothing of the database's address but host and name is ever shown: it may hold a password.
    """
    settings = effective_settings()
    if not as_json:
        console.say_mode(live=settings.live)
    check = Runtime.sync_clock if not migrated else _check_tables if same_mode else _check_tables_alone
    who = actor_name or actor()
    with (
        database_address(settings, create=create) as url,
        _explained(url),
        open_runtime(settings, actor=who, database_url=url, check=check, tell_clock=_say_clock) as runtime,
    ):
        yield runtime


def _check_tables(runtime: Runtime) -> None:
    _check_tables_alone(runtime)
    runtime.verify_database()


def _check_tables_alone(runtime: Runtime) -> None:
    runtime.sync_clock()
    _require_tables(runtime)


def actor() -> str:
    """Return the operator's user and host, for the audit."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run under a number without a name
        user = str(os.getuid())
    return f"cli {user}@{socket.gethostname()}"


def _say_clock(ahead: timedelta) -> None:
    if abs(ahead) > APART:
        note = (
            f"the database's clock is {ahead.total_seconds():+.0f} s from this machine's, and is gone by: run NTP here"
        )
        console.note(note, style="yellow")


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Turn what PostgreSQL says about itself, not about our statements, into a sentence."""
    try:
        yield
    except ReadOnly as error:
        raise NotReachable(
            f"The database at {_place(url)} takes no writes: {_said(error)}. Nothing was changed. It is a standby, or "
            "default_transaction_read_only is on, as some providers do it when a disk is full: point "
            "AGAIN_DATABASE_URL at the primary, or make it writable again."
        ) from None
    except (OperationalError, InterfaceError) as error:
        raise NotReachable(
            f"The database at {_place(url)} does not answer: {_said(error)}. "
            "Check that PostgreSQL runs there and that AGAIN_DATABASE_URL is right."
        ) from None
    except ProgrammingError as error:
        if not isinstance(error.orig, InsufficientPrivilege):
            raise
        raise NotReachable(
            f"The database at {_place(url)} refuses: {_said(error)}. Give its user the rights on Again's tables."
        ) from None


def _place(url: str) -> str:
    """Return host and database without user and password."""
    parsed = make_url(url)
    host = parsed.host or parsed.query.get("host") or "localhost"
    port = f":{parsed.port}" if parsed.port else ""
    return f"{host}{port}/{parsed.database or ''}"


def _said(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0].rstrip(".")


def _require_tables(runtime: Runtime) -> None:
    current = migrations.current(runtime.engine)
    if current == migrations.newest():
        return
    require_known_migration(current)
    if runtime.settings.database_url is not None:
        state = "has no tables yet" if current is None else f"is at migration {current}, older than this version needs"
        raise NotMigrated(f"The database {state}: run `again migrate`.")
    migrations.upgrade(runtime.engine)
    console.note("the embedded database was migrated")


def require_known_migration(current: str | None) -> None:
    """Raise NotMigrated for a database that a newer version of Again has migrated."""
    if current is not None and not migrations.is_known(current):
        raise NotMigrated(
            f"The database is at migration {current}, which this version of Again does not know: "
            "update Again, or use the database that belongs to it."
        )
