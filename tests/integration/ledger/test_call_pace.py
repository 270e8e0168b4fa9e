"""The pace of a PG's calls is counted with each claim, for all workers together; closed PGs are not claimed from."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from schedules.open_hours import SEOUL, OpenHours
from tests.integration.conftest import LEASE, NOW, open_all
from tests.support.book import Book
from worker.charging.channel_rules import GivenRules, set_channel_rules
from worker.charging.limited_claim import Claimed, claim_within_limits
from worker.charging.run_limits import RunLimits
from worker.database.engine import Sessions
from worker.domain.channel_rules import BURST_SECONDS, ChannelRules
from worker.ledger import channel_rules
from worker.ledger.call_pace import COUNTED_ELSEWHERE
from worker.ledger.queues import Wanted

ANSWERED = text("""
    UPDATE attempts SET status = 'not_charged', settled_at = now()
    WHERE id = (SELECT min(a.id) FROM attempts a JOIN billing_keys k ON k.id = a.billing_key_id WHERE k.pg = 'kakaopay')
""")

LIMITS = RunLimits(
    max_in_flight=100, chunk=100, budget=timedelta(seconds=9), lease=LEASE, send_within=LEASE, prefix="test"
)


def claim(sessions: Sessions, *, now: datetime = NOW, **wanted: int) -> Claimed:
    queues = {pg: Wanted(limit) for pg, limit in wanted.items()}
    return claim_within_limits(sessions, LIMITS, {}, clock=lambda: now, queues=queues or None)


def rule(sessions: Sessions, pg: str, rules: ChannelRules) -> None:
    with sessions.begin() as session:
        channel_rules.set_rules(session, pg, rules, reason="test", now=NOW)


@pytest.fixture
def due(book: Book, sessions: Sessions) -> Sessions:
    """Sixty charges are due through each of two PGs."""
    for pg in ("kakaopay", "payco"):
        for _ in range(60):
            book.subscribe(pg=pg, now=NOW)
    open_all(sessions)
    return sessions


def test_claims_of_two_workers_share_the_pace_of_a_pg_and_leave_others_alone(due: Sessions):
    rule(due, "kakaopay", ChannelRules(calls_per_second=10))
    first = claim(due, kakaopay=50, payco=40)
    assert (len(first.attempts), first.asked["kakaopay"].limit) == (6 + 40, 6)
    assert set(first.waits) == {"kakaopay"}
    assert claim(due, kakaopay=50).attempts == []
    assert len(claim(due, now=NOW + timedelta(seconds=0.3), kakaopay=50).attempts) == 3
    assert len(claim(due, now=NOW + timedelta(seconds=60), kakaopay=50).attempts) == 6, "nothing is saved up"


def test_claim_without_queues_keeps_the_pace_too(due: Sessions):
    rule(due, "kakaopay", ChannelRules(calls_per_second=10))
    assert len(claim(due).attempts) == 6 + 60


def test_calls_in_flight_count_until_they_are_settled(due: Sessions):
    rule(due, "kakaopay", ChannelRules(in_flight=5))
    assert len(claim(due, kakaopay=50, payco=50).attempts) == 55
    assert claim(due, kakaopay=50).attempts == []
    with due.begin() as session:
        session.execute(ANSWERED)
    assert len(claim(due, kakaopay=50).attempts) == 1


def test_many_workers_at_once_claim_no_more_than_the_pace_allows(due: Sessions):
    rule(due, "kakaopay", ChannelRules(calls_per_second=40))
    with ThreadPoolExecutor(6) as workers:
        claimed = list(workers.map(lambda _: len(claim(due, kakaopay=7).attempts), range(18)))
    assert sum(claimed) <= 40 * BURST_SECONDS + 1
    assert sum(claimed) >= 7, "one of them was first"


@contextmanager
def frozen_in_a_claim(sessions: Sessions) -> Iterator[Session]:
    """A worker stands still while it counts the calls through Kakao Pay."""
    with sessions() as session:
        session.execute(text("SELECT FROM channel_rules WHERE pg = 'kakaopay' FOR UPDATE"))
        yield session
        session.rollback()


def test_worker_that_freezes_while_it_counts_makes_others_slower_and_not_faster(due: Sessions):
    rule(due, "kakaopay", ChannelRules(calls_per_second=10))
    with frozen_in_a_claim(due):
        claimed = claim(due, kakaopay=50, payco=50)
        assert {attempt.request.pg for attempt in claimed.attempts} == {"payco"}
        assert claimed.waits == {"kakaopay": COUNTED_ELSEWHERE.wait}
    assert len(claim(due, kakaopay=50).attempts) == 6


def test_nothing_is_claimed_of_a_pg_that_is_closed_until_it_opens(due: Sessions):
    local = NOW.astimezone(SEOUL)
    opens = (local + timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)
    rule(due, "kakaopay", ChannelRules(open_hours=OpenHours(maintenance=f"{local:%H}:00-{opens:%H}:00")))
    assert {attempt.request.pg for attempt in claim(due, kakaopay=5, payco=5).attempts} == {"payco"}
    assert {attempt.request.pg for attempt in claim(due, now=opens, kakaopay=5).attempts} == {"kakaopay"}


def test_rules_of_a_pg_that_are_set_at_once_for_the_first_time_are_all_kept(sessions: Sessions):
    given = [GivenRules(calls_per_second="10"), GivenRules(in_flight="3"), GivenRules(hours="08:00-22:00")]
    barrier = Barrier(len(given))

    def set_one(rules: GivenRules) -> None:
        barrier.wait()
        set_channel_rules(sessions, "payco", rules, reason="test", now=NOW)

    with ThreadPoolExecutor(len(given)) as operators:
        list(operators.map(set_one, given))
    with sessions() as session:
        assert channel_rules.channel_rules(session) == {"payco": ChannelRules(10, 3, OpenHours("08:00-22:00"))}


def test_rules_that_are_set_are_audited_and_their_pace_is_not(due: Sessions):
    rule(due, "payco", ChannelRules(calls_per_second=10, open_hours=OpenHours("08:00-22:00")))
    claim(due, payco=5)
    rule(due, "payco", ChannelRules(in_flight=3))
    with due() as session:
        told = session.scalars(text("SELECT reason FROM audit WHERE entity = 'channel' ORDER BY id")).all()
        assert channel_rules.locked_rules(session, "payco") == ChannelRules(in_flight=3)
    assert told == [
        "test; calls a second: 10; in flight: no limit; hours: 08:00-22:00; maintenance: none",
        "test; calls a second: no limit; in flight: 3; hours: all day; maintenance: none",
    ]
