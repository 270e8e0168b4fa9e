"""What PostgreSQL says about a failure quotes rows; what we hand on never does."""

from __future__ import annotations

import traceback

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.integration.conftest import NOW
from worker.database.engine import Sessions
from worker.subscriptions.csv_import import queries as import_queries

UID = "customer_uid_of_gildong"

ADD_KEY = text("""
    INSERT INTO billing_keys (customer_uid, pg, label, status, status_at, created_at)
    VALUES (:uid, 'kakaopay', '', :status, now(), now()), (:uid, 'kakaopay', '', :status, now(), now())
""")


def told(error: BaseException) -> str:
    return f"{''.join(traceback.format_exception(error))} {error!r} {error.__cause__!r}"


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("active", "violates unique constraint"),  # DETAIL: Key (customer_uid)=(...) already exists.
        ("lost", "violates check constraint"),  # DETAIL: Failing row contains (...).
    ],
)
def test_an_error_about_a_row_names_the_constraint_and_not_the_row(sessions: Sessions, status: str, says: str):
    with pytest.raises(IntegrityError, match=says) as refused, sessions.begin() as session:
        session.execute(ADD_KEY, {"uid": UID, "status": status})
    assert isinstance(refused.value.orig, psycopg.Error)
    assert UID in str(refused.value.orig.diag.message_detail)  # it was there to be told
    assert UID not in told(refused.value)
    assert says in told(refused.value)


def test_an_error_about_a_copied_row_does_not_quote_it(sessions: Sessions):
    row = (1, "lee", 1, UID, "kakaopay", None, "", "active", NOW.date(), NOW, NOW, "one value too many")
    with pytest.raises(psycopg.Error, match="extra data after last") as refused, sessions.begin() as session:
        import_queries.stage(session, [row])
    assert UID in str(refused.value.diag.context)  # it was there to be told
    assert UID not in told(refused.value)
