from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.acts import POLICY
from tests.support.book import Book, Subscribed
from worker.changes.request import ChangeRequest, RequestedChange, request_change
from worker.charging.open_due import open_due_charges
from worker.database.engine import Sessions
from worker.domain.changes import ChangeKind, When

BEGAN = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
NOW = datetime(2026, 1, 20, 3, 0, tzinfo=UTC)

_PAID = text("""
    UPDATE charges SET status = 'paid', status_at = :now, paid_at = :now, next_attempt_at = NULL WHERE status = 'due'
""")


@pytest.fixture
def book(sessions: Sessions) -> Book:
    book = Book(sessions)
    book.plan("gold", now=BEGAN, amount="19900")
    book.plan("yearly", now=BEGAN, amount="99000", cadence="year")
    return book


@pytest.fixture
def paid(book: Book, sessions: Sessions) -> Subscribed:
    """A subscription to 9,900 won a month whose period from 5 January to 5 February is paid."""
    subscribed = book.subscribe(now=BEGAN)
    pay_all(sessions)
    return subscribed


def pay_all(sessions: Sessions, now: datetime = BEGAN) -> None:
    """Open what has started, and take it as paid."""
    open_due_charges(sessions, now=now, limit=12)
    with sessions.begin() as session:
        session.execute(_PAID, {"now": now})


def ask(
    sessions: Sessions,
    kind: ChangeKind,
    code: str,
    when: When | None = None,
    /,
    *,
    now: datetime = NOW,
    key: str | None = None,
    **parameters: Any,
) -> RequestedChange:
    request = ChangeRequest(
        kind=kind, subscription=code, when=when, parameters=parameters, reason="asked", idempotency_key=key
    )
    return request_change(sessions, request, policy=POLICY, now=now)
