"""Exit codes, and the one table from errors to them; only bugs show a traceback."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from worker.cli import console
from worker.config.terminal import plain

EPILOG = (
    "With --json, a command prints one JSON document to standard output and nothing else.\n\n"
    "Exit codes: 0 done; 1 refused or not found; 2 wrong command line; 3 wrong settings; "
    "4 the database or another server cannot be reached; 5 the database is not migrated."
)


class ExitCode(IntEnum):
    DONE = 0
    REFUSED = 1
    USAGE = 2  # Typer's own
    SETTINGS = 3
    NOT_REACHABLE = 4
    NOT_MIGRATED = 5


class NotReachable(RuntimeError):
    """A server does not answer as it must; the text says which, what it said and what to do."""


class NotMigrated(RuntimeError):
    """The database's tables are not those that this version needs."""


class Commands(TyperGroup):
    """A group whose commands end with one sentence and an exit code; only a bug shows a traceback."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for argument in args:
            if not argument.isascii() and argument.encode(errors="replace").decode() != argument:
                raise typer.BadParameter(f"{argument!r:.60} is not UTF-8 text")
        try:
            return super().parse_args(ctx, args)
        except TyperException as error:
            _complain_plainly(error)
            raise

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except TyperException as error:
            _complain_plainly(error)
            raise
        except Exception as error:
            code = exit_code(error)
            if code is None:
                raise
            console.complain(str(error))
            raise typer.Exit(code) from None


class _Complaint(typer.BadParameter):
    """What Typer complains of, in plain text."""

    def format_message(self) -> str:
        return self.message


def _complain_plainly(error: TyperException) -> None:
    """Strip control characters from a complaint that quotes the command line."""
    said = error.format_message() if isinstance(error, typer.BadParameter) else str(getattr(error, "message", error))
    if said != plain(said):
        raise _Complaint(plain(said), ctx=getattr(error, "ctx", None)) from None


def exit_code(error: Exception) -> ExitCode | None:
    """Return the exit code of an error; None for an unforeseen one."""
    from schedules.plans import InvalidPlan
    from worker.config.settings import InvalidSettings
    from worker.database.engine import InvalidDatabaseUrl
    from worker.devstack.addresses import NotAvailable
    from worker.devstack.stack import DidNotStart
    from worker.domain.errors import Refused
    from worker.ledger.database_identity import WrongDatabase
    from worker.sandbox.store.ledger import LedgerUnusable
    from worker.serving import CannotListen

    table = {
        Refused: ExitCode.REFUSED,
        InvalidPlan: ExitCode.REFUSED,
        CannotListen: ExitCode.REFUSED,
        LedgerUnusable: ExitCode.REFUSED,
        InvalidSettings: ExitCode.SETTINGS,
        InvalidDatabaseUrl: ExitCode.SETTINGS,
        WrongDatabase: ExitCode.SETTINGS,
        NotAvailable: ExitCode.NOT_REACHABLE,
        DidNotStart: ExitCode.NOT_REACHABLE,
        NotReachable: ExitCode.NOT_REACHABLE,
        NotMigrated: ExitCode.NOT_MIGRATED,
    }
    return next((code for kind, code in table.items() if isinstance(error, kind)), None)
