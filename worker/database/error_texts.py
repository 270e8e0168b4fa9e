"""What PostgreSQL says about a failure, without the rows it quotes: a customer_uid can be in them."""

from __future__ import annotations

import psycopg
from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext


def without_values(error: BaseException | None) -> str | None:
    """Shorten an error of PostgreSQL's, in place, to its first sentence, and return that; None for any other error.

    Its details quote whole rows ("Failing row contains (...)", "Key (customer_uid)=(...) already exists"), and so does
    the context of a COPY. The sentence names tables, columns and constraints.
    """
    if not isinstance(error, psycopg.Error) or error.diag.message_primary is None:
        return None
    error.args = (error.diag.message_primary,)
    return error.diag.message_primary


def keep_values_out(engine: Engine) -> None:
    """Shorten every error that comes through an engine."""
    event.listen(engine, "handle_error", _shorten)


def _shorten(context: ExceptionContext) -> None:
    shown = context.sqlalchemy_exception
    if (primary := without_values(context.original_exception)) is not None and shown is not None:
        kind = type(context.original_exception)
        shown.args = (f"({kind.__module__}.{kind.__name__}) {primary}",)
