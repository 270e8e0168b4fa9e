"""Claims against a real PostgreSQL: who gets what, once, and what stands in the way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.integration.conftest import LEASE, NOW, claim_now, open_all
from tests.support.book import Book
from worker.charging.kill_switch import set_switch, wait_for_claims
from worker.config.decline_packs import shipped_rules
from worker.database.engine import Sessions
from worker.domain.attempt import Attempt
from worker.domain.errors import Refused
from worker.domain.outcomes import NotCharged, NotChargedReason
from worker.domain.retry_policy import RetryPolicy
from worker.domain.settlement import settle
from worker.domain.states import AttemptStatus
from worker.ledger import stops
from worker.ledger.claiming import claim
from worker.ledger.write_back import write_back

POLICY = RetryPolicy(
    quiet_period=timedelta(minutes=30),
    lookup_backoff=(timedelta(minutes=5),),
    not_charged_delay=timedelta(minutes=1),
    transient_delay=timedelta(minutes=10),
    rules=shipped_rules(),
)


def give_back(sessions: Sessions, attempt: Attempt) -> None:
    outcome = NotCharged(NotChargedReason.CONNECT_FAILED)
    write_back(sessions, [settle(attempt, outcome, now=NOW, policy=POLICY)], now=NOW)


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
            claimed += [attempt.charge.id for attempt in batch]
        return claimed

    with ThreadPoolExecutor(10) as threads:
        claimed = [charge for batch in threads.map(worker, range(10)) for charge in batch]
    assert sorted(claimed) == sorted(set(claimed))
    # A thread that met only locked rows stops early; whatever it left is claimed now, and nothing is claimed twice.
    rest = [attempt.charge.id for attempt in claim_now(sessions)]
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
    assert second.charge.id != first.charge.id
    later = NOW + timedelta(minutes=5)
    assert claim_now(sessions, now=later) == []
    give_back(sessions, second)
    (again,) = claim_now(sessions, now=later)
    assert (again.charge.id, again.id, again.sends) == (first.charge.id, first.id, 2)


def test_attempt_not_charged_is_sent_again_under_the_same_merchant_uid(book: Book, sessions: Sessions):
    book.subscribe(now=NOW)
    open_all(sessions)
    (first,) = claim_now(sessions)
    give_back(sessions, first)
    (again,) = claim_now(sessions, now=NOW + timedelta(minutes=5))
    assert again.request.merchant_uid == first.request.merchant_uid
    assert (again.id, again.sends) == (first.id, 2)


def test_a_change_of_prefix_changes_no_merchant_uid_that_was_given_out(book: Book, sessions: Sessions):
    book.subscribe(now=NOW)
    open_all(sessions)
    (first,) = claim_now(sessions)
    give_back(sessions, first)
    with sessions.begin() as session:
        later = NOW + timedelta(minutes=5)
        (again,) = claim(session, now=later, limit=10, lease=LEASE, prefix="other")
    assert again.request.merchant_uid == first.request.merchant_uid


WRONG = {
    "a dunning calendar that is unreadable": "UPDATE plans SET dunning = 'soon' WHERE code = 'broken'",
    "a time zone that this machine does not know": "UPDATE plans SET time_zone = 'Mars/Olympus' WHERE code = 'broken'",
}


@pytest.mark.parametrize("what", WRONG)
def test_a_charge_that_cannot_be_claimed_keeps_no_other_from_it(what: str, book: Book, sessions: Sessions):
    book.plan("broken", now=NOW)
    for _ in range(5):
        book.subscribe(now=NOW, plan="broken", starts_on=date(2026, 1, 4))
    book.subscribe(now=NOW)
    open_all(sessions)
    with sessions.begin() as session:
        session.execute(text(WRONG[what]))
    (claimed,) = claim_now(sessions, limit=2)
    assert claimed.request.name == "Plan monthly"


BLOCKED = {
    "the key is dead": "UPDATE billing_keys SET status = 'dead'",
    "the key is still being registered": "UPDATE billing_keys SET status = 'registering'",
    "the subscription is paused": """
        UPDATE subscriptions SET status = 'paused', paused_next_charge_at = next_charge_at, next_charge_at = NULL""",
    "the subscription is canceled": (
        "UPDATE subscriptions SET status = 'canceled', next_charge_at = NULL, ends_at = now()"
    ),
    "everything is stopped": "INSERT INTO stops VALUES ('all', 'test', 'me', now())",
    "the channel is stopped": "INSERT INTO stops VALUES ('kakaopay', 'test', 'me', now())",
    "its time has not come": "UPDATE charges SET next_attempt_at = next_attempt_at + interval '1 day'",
    "it waits for a person": "UPDATE charges SET status = 'past_due', next_attempt_at = NULL",
}


@pytest.mark.parametrize("why", BLOCKED)
def test_blocked_charge_is_not_claimed(why: str, book: Book, sessions: Sessions):
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
    with ThreadPoolExecutor(1) as threads:
        with sessions.begin() as session:
            assert len(claim(session, now=NOW, limit=1, lease=LEASE, prefix="test")) == 1
            set_switch(sessions, stops.EVERYTHING, reason="test", stopped_by="me", now=NOW)  # waits for no claim
            done = threads.submit(wait_for_claims, sessions, stops.EVERYTHING)
            # It cannot have returned: our claim holds the lock until it commits.
            with pytest.raises(TimeoutError):
                done.result(timeout=0.3)
        done.result(timeout=60)
    assert claim_now(sessions) == []
    assert in_flight(sessions, NOW) == 1


def test_a_frozen_claim_does_not_keep_the_switch_from_being_set(book: Book, sessions: Sessions):
    for _ in range(2):
        book.subscribe(now=NOW)
    open_all(sessions)
    with sessions.begin() as frozen:
        assert len(claim(frozen, now=NOW, limit=1, lease=LEASE, prefix="test")) == 1
        pid = frozen.scalar(text("SELECT pg_backend_pid()"))
        set_switch(sessions, stops.EVERYTHING, reason="test", stopped_by="me", now=NOW)
        with pytest.raises(Refused, match=f"switch is set .* does not end .*pid {pid}"):
            wait_for_claims(sessions, stops.EVERYTHING, timeout=timedelta(milliseconds=50))
        assert claim_now(sessions) == []  # other workers have seen it


def test_a_worker_that_freezes_inside_a_transaction_is_thrown_out(sessions: Sessions):
    with sessions() as session:
        assert session.scalar(text("SHOW idle_in_transaction_session_timeout")) == "1min"


# The clocks of a worker, a reconciler and an operator may be minutes apart.
@pytest.mark.parametrize(
    ("status", "after_the_lease", "expected"),
    [
        ("started", timedelta(minutes=-1), 1),
        ("started", timedelta(minutes=4), 1),  # by our clock; the worker's may say otherwise
        ("started", timedelta(minutes=6), 0),
        ("abandoned", timedelta(minutes=-1), 1),  # by a reconciler whose clock is fast
        ("abandoned", timedelta(minutes=4), 1),
        ("abandoned", timedelta(minutes=6), 0),
        ("looked up", timedelta(minutes=4), 1),  # abandoned, and asked about since
        ("timeout", timedelta(minutes=-1), 0),  # its worker saw the call end
    ],
)
def test_a_call_counts_as_in_flight_until_its_lease_is_over_by_every_clock(
    book: Book, sessions: Sessions, status: str, after_the_lease: timedelta, expected: int
):
    book.subscribe(now=NOW)
    open_all(sessions)
    claim_now(sessions)
    unknown = "UPDATE attempts SET status = 'unknown', status_reason = :reason, next_lookup_at = now()"
    with sessions.begin() as session:
        if status != "started":
            session.execute(text(unknown), {"reason": "abandoned" if status == "looked up" else status})
        if status == "looked up":
            session.execute(text("UPDATE attempts SET status_reason = 'not_found_yet'"))
    assert in_flight(sessions, NOW + LEASE + after_the_lease) == expected


def in_flight(sessions: Sessions, now: datetime) -> int:
    with sessions() as session:
        assert stops.calls_in_flight(session, now=now, scope="payco") == 0
        assert stops.calls_in_flight(session, now=now) == stops.calls_in_flight(session, now=now, scope="kakaopay")
        return stops.calls_in_flight(session, now=now)
