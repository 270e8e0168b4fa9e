"""What the audit leaves out of an ordinary charge is told by its row and its attempts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.integration.conftest import NOW, claim_now, open_all
from tests.support.attempts import POLICY
from tests.support.book import Book
from worker.database.engine import Sessions, create_database_engine, session_factory
from worker.domain.attempt import Attempt
from worker.domain.outcomes import Answer, Declined, DeclineKind, NotCharged, NotChargedReason, Outcome, Paid
from worker.domain.settlement import settle
from worker.ledger import history, lookup_queue
from worker.ledger.write_back import write_back

WORKER, OTHER_WORKER = "worker host:1", "worker host:2"
PAID = Paid(NOW, Answer(http_status=200, code="0", imp_uid="imps_1", raw={"status": "paid"}))
SOFT = Declined(DeclineKind.SOFT, Answer(http_status=200, code="0", message="[LACK_BALANCE]", imp_uid="imps_2"))
NOT_CHARGED = NotCharged(NotChargedReason.CONNECT_FAILED)


def _sessions(database_url: str, actor: str) -> Iterator[Sessions]:
    engine = create_database_engine(database_url, actor=actor)
    yield session_factory(engine)
    engine.dispose()


@pytest.fixture
def worker(database_url: str) -> Iterator[Sessions]:
    yield from _sessions(database_url, WORKER)


@pytest.fixture
def other_worker(database_url: str) -> Iterator[Sessions]:
    yield from _sessions(database_url, OTHER_WORKER)


def claimed(sessions: Sessions, *, days: int = 0) -> Attempt:
    (attempt,) = claim_now(sessions, now=NOW + timedelta(days=days))
    return attempt


def settled(sessions: Sessions, attempt: Attempt, outcome: Outcome, *, days: int = 0) -> None:
    now = NOW + timedelta(days=days)
    write_back(sessions, [settle(attempt, outcome, now=now, policy=POLICY)], now=now)


def audit(sessions: Sessions) -> list[tuple[str, str | None, str, str]]:
    query = "SELECT entity, from_status, to_status, actor FROM audit WHERE entity IN ('charge', 'attempt') ORDER BY id"
    with sessions() as session:
        return [(row.entity, row.from_status, row.to_status, row.actor) for row in session.execute(text(query))]


def story(sessions: Sessions, charge_id: int) -> list[tuple[str | None, str, str]]:
    with sessions() as session:
        return [
            (row["from_status"], row["to_status"], row["actor"]) for row in history.charge_story(session, charge_id)
        ]


def test_ordinary_paid_charge_leaves_no_audit_row_and_tells_its_whole_story(book: Book, worker: Sessions):
    book.subscribe(now=NOW)
    open_all(worker)
    attempt = claimed(worker)
    settled(worker, attempt, PAID)
    assert audit(worker) == []
    assert story(worker, attempt.charge.id) == [
        (None, "due", ""),
        ("due", "charging", WORKER),
        ("charging", "paid", WORKER),
    ]


def test_charge_of_another_process_than_a_worker_is_audited_step_by_step(book: Book, sessions: Sessions):
    book.subscribe(now=NOW)
    open_all(sessions)
    attempt = claimed(sessions)
    settled(sessions, attempt, PAID)
    assert len(audit(sessions)) == 5
    assert story(sessions, attempt.charge.id) == [
        (None, "due", "test"),
        ("due", "charging", "test"),
        ("charging", "paid", "test"),
    ]


def test_decline_is_audited_and_the_story_has_both_attempts(book: Book, worker: Sessions, other_worker: Sessions):
    book.subscribe(now=NOW)
    open_all(worker)
    first = claimed(worker)
    settled(worker, first, SOFT)
    settled(other_worker, claimed(other_worker, days=2), PAID, days=2)
    assert set(audit(worker)) == {
        ("attempt", "started", "declined", WORKER),
        ("charge", "charging", "past_due", WORKER),
    }
    assert story(worker, first.charge.id) == [
        (None, "due", ""),
        ("due", "charging", WORKER),
        ("charging", "past_due", WORKER),
        ("past_due", "charging", OTHER_WORKER),
        ("charging", "paid", OTHER_WORKER),
    ]


def test_attempt_that_is_sent_again_keeps_its_first_start(book: Book, worker: Sessions, other_worker: Sessions):
    book.subscribe(now=NOW)
    open_all(worker)
    first = claimed(worker)
    settled(worker, first, NOT_CHARGED)
    settled(other_worker, claimed(other_worker, days=1), PAID, days=1)
    assert [row for row in audit(worker) if row[0] == "attempt"] == [
        ("attempt", "started", "not_charged", WORKER),
        ("attempt", None, "started", WORKER),
        ("attempt", "not_charged", "started", OTHER_WORKER),
        ("attempt", "started", "paid", OTHER_WORKER),
    ]
    assert [row[1:] for row in story(worker, first.charge.id)] == [
        ("due", ""),
        ("charging", WORKER),
        ("due", WORKER),
        ("charging", OTHER_WORKER),
        ("paid", OTHER_WORKER),
    ]


def test_attempt_that_was_looked_up_names_who_abandoned_it(book: Book, worker: Sessions, other_worker: Sessions):
    book.subscribe(now=NOW)
    open_all(worker)
    claimed(worker)
    with other_worker.begin() as session:
        lookup_queue.expire_leases(session, now=NOW + timedelta(hours=1), limit=9)
    with other_worker.begin() as session:
        (attempt,) = lookup_queue.lease_due(session, now=NOW + timedelta(hours=1), limit=9, lease=timedelta(minutes=1))
    settled(other_worker, attempt, PAID, days=1)
    assert audit(worker) == [
        ("attempt", "started", "unknown", OTHER_WORKER),
        ("attempt", "unknown", "paid", OTHER_WORKER),
    ]
    assert story(worker, attempt.charge.id)[1:] == [
        ("due", "charging", WORKER),
        ("charging", "paid", OTHER_WORKER),
    ]


@pytest.mark.parametrize("status", ["charging", "void"])
def test_status_set_by_sql_is_audited(book: Book, worker: Sessions, sessions: Sessions, status: str):
    book.subscribe(now=NOW)
    open_all(worker)
    with sessions.begin() as session:
        session.execute(text(f"UPDATE charges SET status = '{status}', next_attempt_at = NULL"))
    assert audit(worker) == [("charge", "due", status, "test")]


def test_maker_of_an_attempt_never_changes(book: Book, worker: Sessions):
    book.subscribe(now=NOW)
    open_all(worker)
    claimed(worker)
    with pytest.raises(Exception, match="an attempt keeps its charge"), worker.begin() as session:
        session.execute(text("UPDATE attempts SET created_by = 'another'"))
