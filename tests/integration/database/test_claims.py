"""Claims against a real PostgreSQL: who gets what, once, and what stands in the way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Barrier, Event

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.fixtures.book import Book
from tests.integration.database.conftest import LEASE, NOW, claim_now, open_all
from worker.database import stops
from worker.database.claims import claim
from worker.database.session import Sessions
from worker.lifecycle import AttemptStatus
from worker.outcomes import NotCharged, NotChargedReason
from worker.recording import record
from worker.settlement import OpenAttempt, Policy, settle

POLICY = Policy(
    quiet_period=timedelta(minutes=30),
    ladder=(timedelta(minutes=5),),
    not_charged_delay=timedelta(minutes=1),
    transient_delay=timedelta(minutes=10),
)


def give_back(sessions: Sessions, attempt: OpenAttempt) -> None:
    outcome = NotCharged(NotChargedReason.CONNECT_FAILED)
    record(sessions, [settle(attempt, outcome, now=NOW, policy=POLICY)], now=NOW)


def test_a_claim_commits_the_attempt_and_its_merchant_uid_before_anything_is_sent(book: Book, sessions: Sessions):
    subscribed = book.subscribe(now=NOW)
    open_all(sessions)
    (attempt,) = claim_now(sessions)
    assert attempt.request.merchant_uid == f"test{subscribed.code}20260105010000001"
    with sessions() as session:
        row = session.execute(text("SELECT status, merchant_uid, sends, lease_until FROM attempts")).one()
    assert row == (AttemptStatus.STARTED, attempt.request.merchant_uid, 1, NOW + LEASE)


def test_ten_threads_claim_each_charge_once(book: Book, sessions: Sessions):
    for _ in range(60):
        book.subscribe(now=NOW)
    open_all(sessions)
    barrier = Barrier(10)

    def worker(_: int) -> list[int]:
        barrier.wait()
        claimed = []
        while batch := claim_now(sessions, limit=7):
            claimed += [attempt.charge_id for attempt in batch]
        return claimed

    with ThreadPoolExecutor(10) as threads:
        claimed = [charge for batch in threads.map(worker, range(10)) for charge in batch]
    assert sorted(claimed) == sorted(set(claimed))
    # A thread that met only locked rows stops early; whatever it left is claimed now, and nothing is claimed twice.
    rest = [attempt.charge_id for attempt in claim_now(sessions)]
    assert len(set(claimed) | set(rest)) == len(claimed) + len(rest) == 60


def test_a_claimed_charge_is_not_claimed_again_however_long_its_attempt_is_open(book: Book, sessions: Sessions):
    book.subscribe(now=NOW)
    open_all(sessions)
    assert len(claim_now(sessions)) == 1
    assert claim_now(sessions, now=NOW + timedelta(days=3650)) == []


def test_a_second_open_attempt_for_one_charge_cannot_exist(book: Book, sessions: Sessions):
    book.subscribe(now=NOW)
    open_all(sessions)
    claim_now(sessions)
    insert = text("""
        INSERT INTO attempts (charge_id, billing_key_id, number, merchant_uid, status, status_at, sends, started_at,
                              lease_until)
        SELECT charge_id, billing_key_id, 2, 'another', 'started', status_at, 1, started_at, lease_until FROM attempts
    """)
    with pytest.raises(IntegrityError, match="attempts_open_key"), sessions.begin() as session:
        session.execute(insert)


def test_one_subscription_has_one_charge_in_flight_the_oldest_first(book: Book, sessions: Sessions):
    book.plan("daily", now=NOW, cadence="day")
    book.subscribe(now=NOW, plan="daily", starts_on=date(2026, 1, 3))
    open_all(sessions)
    (first,) = claim_now(sessions)
    assert claim_now(sessions) == []
    give_back(sessions, first)
    # The oldest waits for its back-off, so it does not stand in the way of the next one.
    (second,) = claim_now(sessions)
    assert second.charge_id != first.charge_id
    later = NOW + timedelta(minutes=5)
    assert claim_now(sessions, now=later) == []
    give_back(sessions, second)
    (again,) = claim_now(sessions, now=later)
    assert (again.charge_id, again.attempt_id, again.sends) == (first.charge_id, first.attempt_id, 2)


def test_what_was_not_charged_is_sent_again_under_the_same_merchant_uid(book: Book, sessions: Sessions):
    book.subscribe(now=NOW)
    open_all(sessions)
    (first,) = claim_now(sessions)
    give_back(sessions, first)
    (again,) = claim_now(sessions, now=NOW + timedelta(minutes=5))
    assert again.request.merchant_uid == first.request.merchant_uid
    assert (again.attempt_id, again.sends) == (first.attempt_id, 2)


def test_a_pg_that_forbids_any_reuse_gets_the_next_number(book: Book, sessions: Sessions):
    book.subscribe(now=NOW, pg="naverpay")
    open_all(sessions)
    (first,) = claim_now(sessions)
    give_back(sessions, first)
    (again,) = claim_now(sessions, now=NOW + timedelta(minutes=5))
    assert (again.number, again.sends) == (2, 1)
    assert again.request.merchant_uid != first.request.merchant_uid


BLOCKED = {
    "the key is dead": "UPDATE billing_keys SET status = 'dead'",
    "the key is still being registered": "UPDATE billing_keys SET status = 'registering'",
    "the subscription is paused": "UPDATE subscriptions SET status = 'paused', next_charge_at = NULL",
    "the subscription is canceled": "UPDATE subscriptions SET status = 'canceled', next_charge_at = NULL",
    "everything is stopped": "INSERT INTO stops VALUES ('all', 'test', 'me', now())",
    "the channel is stopped": "INSERT INTO stops VALUES ('kakaopay', 'test', 'me', now())",
    "its time has not come": "UPDATE charges SET next_attempt_at = next_attempt_at + interval '1 day'",
    "it waits for a person": "UPDATE charges SET status = 'past_due', next_attempt_at = NULL",
}


@pytest.mark.parametrize("why", BLOCKED)
def test_nothing_is_claimed_when(why: str, book: Book, sessions: Sessions):
    book.subscribe(now=NOW)
    open_all(sessions)
    with sessions.begin() as session:
        session.execute(text(BLOCKED[why]))
    assert claim_now(sessions) == []


def test_another_channels_stop_stops_nothing_here(book: Book, sessions: Sessions):
    book.subscribe(now=NOW, pg="payco")
    open_all(sessions)
    with sessions.begin() as session:
        stops.stop(session, scope="kakaopay", reason="test", stopped_by="me", now=NOW)
    assert len(claim_now(sessions)) == 1


def test_stop_waits_for_a_claim_under_way_and_nothing_is_claimed_after_it(book: Book, sessions: Sessions):
    for _ in range(2):
        book.subscribe(now=NOW)
    open_all(sessions)
    claimed, stopping = Event(), Event()

    def stop() -> None:
        claimed.wait(10)
        stopping.set()
        with sessions.begin() as session:
            stops.stop(session, scope=stops.EVERYTHING, reason="test", stopped_by="me", now=NOW)

    with ThreadPoolExecutor(1) as threads:
        with sessions.begin() as session:
            assert len(claim(session, now=NOW, limit=1, lease=LEASE, prefix="test")) == 1
            done = threads.submit(stop)
            claimed.set()
            assert stopping.wait(10)
            # It cannot have returned: our claim holds the lock until it commits.
            with pytest.raises(TimeoutError):
                done.result(timeout=0.3)
        done.result(timeout=10)
    assert claim_now(sessions) == []
    with sessions() as session:
        assert stops.calls_in_flight(session, now=NOW) == 1
        assert stops.calls_in_flight(session, now=NOW + LEASE + timedelta(seconds=1)) == 0
