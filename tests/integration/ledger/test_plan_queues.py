"""A plan that is stopped: its charges wait in a queue of its own, which no claim reads, and return with the start."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from tests.integration.conftest import LEASE, NOW, claim_now, open_all
from tests.support import plans
from tests.support.book import Book
from worker.charging.charge_queues import queue_names, release_blocked
from worker.charging.kill_switch import clear_queues, set_switch, start_charging, wait_for_claims
from worker.database.engine import Sessions
from worker.domain.attempt import Attempt
from worker.domain.errors import Refused
from worker.ledger import stops
from worker.ledger.claiming import claim
from worker.operations.requeue import requeue

GOLD = "plan:gold"


@pytest.fixture
def plan_queue(book: Book, sessions: Sessions) -> str:
    """The queue of the plan `gold`, which has three subscriptions beside two of another plan."""
    for plan in ("gold", "monthly", "gold", "monthly", "gold"):
        book.subscribe(now=NOW, plan=plan)
    with sessions() as session:
        return f"plan:{stops.plan_id(session, GOLD)}"


def set_gold(sessions: Sessions) -> None:
    set_switch(sessions, GOLD, reason="test", stopped_by="me", now=NOW)


def queues(sessions: Sessions) -> Counter[str | None]:
    with sessions() as session:
        return Counter(session.scalars(text("SELECT queue FROM charges")))


def run(sessions: Sessions, statement: str) -> None:
    with sessions.begin() as session:
        session.execute(text(statement), {"now": NOW})


def claimed(session: Session) -> list[Attempt]:
    return claim(session, now=NOW, limit=100, lease=LEASE, prefix="test")


def test_what_waits_of_a_stopped_plan_is_set_aside_and_returns_when_it_is_started(
    book: Book, sessions: Sessions, plan_queue: str
):
    open_all(sessions)
    run(sessions, "UPDATE charges SET next_attempt_at = next_attempt_at + interval '3 days' WHERE id = 1")
    set_gold(sessions)
    assert clear_queues(sessions, GOLD) == 3  # the one of the days to come too
    assert queues(sessions) == {plan_queue: 3, "kakaopay": 2}
    assert len(claim_now(sessions)) == 2
    assert start_charging(sessions, GOLD, now=NOW).returned == 3
    assert queues(sessions) == {"kakaopay": 5}
    assert len(claim_now(sessions)) + len(claim_now(sessions, now=NOW + timedelta(days=3))) == 3


def test_stopped_plan_that_was_not_cleared_is_not_claimed_and_leaves_with_the_run(
    book: Book, sessions: Sessions, plan_queue: str
):
    open_all(sessions)
    set_gold(sessions)
    assert len(claim_now(sessions)) == 2
    release_blocked(sessions, lambda: NOW)
    assert queues(sessions) == {plan_queue: 3, "kakaopay": 2}
    assert queue_names(sessions) == []  # of the PG nothing waits, and the plan's queue is none of a claim


def test_period_of_a_stopped_plan_is_opened_past_the_queue_of_its_pg(book: Book, sessions: Sessions, plan_queue: str):
    set_gold(sessions)
    open_all(sessions)
    assert queues(sessions) == {plan_queue: 3, "kakaopay": 2}


def test_start_that_was_interrupted_is_finished_by_the_next_run(book: Book, sessions: Sessions, plan_queue: str):
    set_gold(sessions)
    open_all(sessions)
    with sessions.begin() as session:  # and the command line is gone
        stops.start(session, scope=GOLD, now=NOW)
    assert queues(sessions)[plan_queue] == 3
    assert queue_names(sessions) == ["kakaopay"]
    assert queues(sessions) == {"kakaopay": 5}


def test_plan_that_is_stopped_once_more_meanwhile_keeps_its_charges(book: Book, sessions: Sessions, plan_queue: str):
    set_gold(sessions)
    open_all(sessions)
    assert queue_names(sessions) == ["kakaopay"]
    assert queues(sessions)[plan_queue] == 3


def test_subscription_that_leaves_a_stopped_plan_takes_its_charges_along(
    book: Book, sessions: Sessions, plan_queue: str
):
    set_gold(sessions)
    open_all(sessions)
    move = "UPDATE subscriptions SET plan_id = (SELECT id FROM plans WHERE code = '{}') WHERE code = '{}'"
    with sessions() as session:
        first, second = session.scalars(text("SELECT code FROM subscriptions ORDER BY id LIMIT 2"))
    run(sessions, move.format("monthly", first))
    assert queues(sessions) == {plan_queue: 2, "kakaopay": 3}
    run(sessions, move.format("gold", second))
    assert len(claim_now(sessions)) == 2  # of the one that came, nothing


def test_key_that_died_meanwhile_lets_its_charge_return_to_no_queue(book: Book, sessions: Sessions, plan_queue: str):
    set_gold(sessions)
    open_all(sessions)
    run(sessions, "UPDATE billing_keys SET status = 'dead' WHERE id = 1")
    start_charging(sessions, GOLD, now=NOW)
    release_blocked(sessions, lambda: NOW)
    assert queues(sessions) == {None: 1, "kakaopay": 4}


def test_charges_of_a_stopped_plan_are_not_misplaced(book: Book, sessions: Sessions, plan_queue: str):
    set_gold(sessions)
    open_all(sessions)
    assert requeue(sessions) == 0
    run(sessions, "UPDATE charges SET queue = 'plan:999' WHERE id = 1")
    assert requeue(sessions) == 1


def test_claims_read_nothing_of_what_a_stopped_plan_has_waiting(
    book: Book, sessions: Sessions, engine: Engine, plan_queue: str
):
    for _ in range(60):
        book.subscribe(now=NOW - timedelta(hours=1), plan="gold")  # before all others
    open_all(sessions)
    set_gold(sessions)

    def most_rows() -> int:
        with engine.connect() as connection, Session(connection) as session, plans.readings(connection) as read:
            assert len(claimed(session)) == 2
        return max(each.rows for each in read)

    assert most_rows() > 60
    clear_queues(sessions, GOLD)
    assert most_rows() < 60


def test_stop_of_a_plan_waits_for_a_claim_under_way_and_nothing_is_claimed_then(
    book: Book, sessions: Sessions, plan_queue: str
):
    open_all(sessions)
    with ThreadPoolExecutor(1) as threads:
        with sessions.begin() as session:
            assert len(claim(session, now=NOW, limit=1, lease=LEASE, prefix="test")) == 1
            set_gold(sessions)  # waits for no claim
            done = threads.submit(wait_for_claims, sessions, GOLD)
            with pytest.raises(TimeoutError):
                done.result(timeout=0.3)  # it cannot have returned: our claim holds the lock until it commits
            assert clear_queues(sessions, GOLD) == 2  # what is being claimed is left alone
        done.result(timeout=60)
    with sessions() as session:
        assert stops.calls_in_flight(session, now=NOW, scope=GOLD) == 1
        assert stops.calls_in_flight(session, now=NOW, scope="plan:monthly") == 0
    assert {attempt.request.name for attempt in claim_now(sessions)} == {"Plan monthly"}


def test_clearing_beside_a_claim_of_other_plans_neither_waits(book: Book, sessions: Sessions, plan_queue: str):
    open_all(sessions)
    set_gold(sessions)
    with sessions.begin() as session:
        assert len(claimed(session)) == 2
        assert clear_queues(sessions, GOLD) == 3
    assert queues(sessions)[plan_queue] == 3


def test_plan_that_does_not_exist_is_neither_stopped_nor_started(sessions: Sessions):
    with pytest.raises(Refused, match="no plan 'gold'"):
        set_gold(sessions)
    with pytest.raises(Refused, match="no plan 'gold'"):
        start_charging(sessions, GOLD, now=NOW)
