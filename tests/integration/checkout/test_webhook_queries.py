"""Webhooks in a real PostgreSQL: each is stored once, looked up until PortOne confirms it, and deleted long after."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.integration.conftest import NOW
from worker.checkout import webhook_queries
from worker.checkout.webhook_queries import ProcessedWebhook
from worker.database.engine import Sessions
from worker.domain.states import WebhookOutcome

WEBHOOK_LEASE = timedelta(minutes=2)
MONTHS = timedelta(days=91)


@pytest.fixture
def session(sessions: Sessions) -> Iterator[Session]:
    with sessions.begin() as session:
        yield session


def received(session: Session, imp_uid: str, status: str = "paid", *, after: timedelta = timedelta(0)) -> int | None:
    said = {"imp_uid": imp_uid, "merchant_uid": "m", "status": status, "cancellation_id": ""}
    return webhook_queries.store(session, said, now=NOW + after, lease=WEBHOOK_LEASE)


def processed(session: Session, imp_uid: str, *, confirmed: bool) -> int:
    webhook_id = received(session, imp_uid)
    assert webhook_id is not None
    done = ProcessedWebhook(WebhookOutcome.DONE, confirmed)
    webhook_queries.record_processed(session, webhook_id, done, now=NOW)
    return webhook_id


def times(session: Session) -> list[int]:
    return list(session.scalars(text("SELECT deliveries FROM webhooks ORDER BY id")))


def test_webhook_that_comes_three_times_is_one_row_and_looked_up_once(session: Session):
    processed(session, "imp_1", confirmed=True)
    assert received(session, "imp_1", after=WEBHOOK_LEASE) is None
    assert received(session, "imp_1", after=MONTHS) is None
    assert times(session) == [3]


def test_unconfirmed_webhook_is_rechecked_when_resent_after_a_minute(session: Session):
    early = processed(session, "imp_1", confirmed=False)
    assert received(session, "imp_1", after=timedelta(seconds=59)) is None
    assert received(session, "imp_1", after=WEBHOOK_LEASE) == early


def test_another_status_of_the_same_payment_is_another_webhook(session: Session):
    assert received(session, "imp_1") != received(session, "imp_1", "cancelled")
    assert times(session) == [1, 1]


def test_processed_webhook_is_deleted_after_its_retention_and_never_before(session: Session):
    processed(session, "imp_1", confirmed=True)
    waiting = received(session, "imp_2")

    assert webhook_queries.prune(session, now=NOW + webhook_queries.RETENTION, limit=10) == 0
    assert webhook_queries.prune(session, now=NOW + MONTHS, limit=10) == 1
    assert list(session.scalars(text("SELECT id FROM webhooks"))) == [waiting]
