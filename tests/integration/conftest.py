from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.book import Book
from worker.charging.open_due import Opened, open_due_charges
from worker.database.engine import Sessions
from worker.domain.attempt import Attempt
from worker.ledger.claiming import claim

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
LEASE = timedelta(minutes=2)


@pytest.fixture
def book(sessions: Sessions) -> Book:
    return Book(sessions)


def open_all(sessions: Sessions, now: datetime = NOW) -> Opened:
    return open_due_charges(sessions, now=now, limit=12)


def claim_now(sessions: Sessions, *, now: datetime = NOW, limit: int = 100) -> list[Attempt]:
    with sessions.begin() as session:
        return claim(session, now=now, limit=limit, lease=LEASE, prefix="test")
