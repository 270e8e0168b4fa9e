"""Webhooks in a real PostgreSQL: each is stored once, looked up until that is done, and deleted long after."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.integration.conftest import NOW
from worker.checkout import webhook_queries
from worker.database.engine import Sessions

HOLD = timedelta(minutes=2)
MONTHS = timedelta(days=91)


@pytest.fixture
def session(sessions: Sessions) -> Iterator[Session]:
    with sessions.begin() as session:
        yield session


def heard(session: Session, imp_uid: str, status: str = "paid", *, after: timedelta = timedelta(0)) -> int | None:
    said = {"imp_uid": imp_uid, "merchant_uid": "m", "status": status, "cancellation_id": ""}
    return webhook_queries.store(session, said, now=NOW + after, hold=HOLD)


def looked_up(session: Session, imp_uid: str, *, confirmed: bool) -> int:
    webhook_id = heard(session, imp_uid)
    assert webhook_id is not None
    webhook_queries.looked_up(session, webhook_id, outcome="done", confirmed=confirmed, now=NOW)
    return webhook_id


def times(session: Session) -> list[int]:
    return list(session.scalars(text("SELECT times FROM webhooks ORDER BY id")))


def test_a_webhook_that_comes_three_times_is_one_row_and_is_looked_up_once(session: Session):
    looked_up(session, "imp_1", confirmed=True)
    assert heard(session, "imp_1", after=HOLD) is None
    assert heard(session, "imp_1", after=MONTHS) is None
    assert times(session) == [3]


def test_one_that_portone_did_not_bear_out_is_looked_up_anew_when_it_comes_again_and_not_too_often(session: Session):
    early = looked_up(session, "imp_1", confirmed=False)
    assert heard(session, "imp_1", after=timedelta(seconds=59)) is None
    assert heard(session, "imp_1", after=HOLD) == early


def test_news_of_the_same_payment_is_another_webhook(session: Session):
    assert heard(session, "imp_1") != heard(session, "imp_1", "cancelled")
    assert times(session) == [1, 1]


def test_a_webhook_is_deleted_months_after_it_was_seen_to_and_never_before(session: Session):
    looked_up(session, "imp_1", confirmed=True)
    waiting = heard(session, "imp_2")

    assert webhook_queries.prune(session, now=NOW + webhook_queries.KEPT, limit=10) == 0
    assert webhook_queries.prune(session, now=NOW + MONTHS, limit=10) == 1
    assert list(session.scalars(text("SELECT id FROM webhooks"))) == [waiting]
