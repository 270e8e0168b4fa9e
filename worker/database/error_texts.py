"""What PostgreSQL says about a failure, without the rows it quotes: a customer_uid can be in them."""

from __future__ import annotations

import psycopg
from psycopg.errors import ReadOnlySqlTransaction
from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import OperationalError


class ReadOnly(OperationalError):
    """The database takes no writes. It is as good as away: whoever tries again connects anew.

    After a failover the old primary is a standby, and may be reached for as long as a connection to it lasts.
    """


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
