"""Changes of terms beside ticks, write-backs, refunds and each other: real transactions at the same moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import Engine, text

from tests.integration.changes.conftest import BEGAN, NOW, ask, pay_all
from tests.integration.conftest import claim_now
from tests.support.acts import POLICY
from tests.support.attempts import POLICY as RETRY_POLICY
from tests.support.book import Book, Subscribed
from worker.changes.apply_due import apply_due_changes
from worker.charging.open_due import open_due_charges
from worker.database.engine import Sessions
from worker.domain.changes import ChangeKind, Moment
from worker.domain.errors import Refused
from worker.domain.outcomes import Answer, Paid
from worker.domain.settlement import settle
from worker.ledger.write_back import write_back

PLAN, MOVE = ChangeKind.CHANGE_PLAN, ChangeKind.MOVE_RENEWAL
SIDES = 8

_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


def at_once(*acts: Callable[[], object]) -> list[object]:
    """Do all of these at the same moment; return what each returned, or why it was refused."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return act()
        except Refused as refused:
            return str(refused)

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(run, acts))


@contextmanager
def beside(engine: Engine, act: Callable[[], object]) -> Iterator[Future[object]]:
    """Start an act in another thread, and go on once it waits for a row of ours."""
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(act)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not connection.scalar(_WAITING):
                assert not future.done(), f"it waits for nothing, and has ended: {future.exception()}"
        yield future


def periods(sessions: Sessions, subscription_id: int) -> list[tuple[object, object]]:
    query = text("SELECT period_start, period_end FROM charges WHERE subscription_id = :id ORDER BY 1")
    with sessions() as session:
        return [tuple(row) for row in session.execute(query, {"id": subscription_id})]


def assert_contiguous(sessions: Sessions, subscription_id: int) -> None:
    found = periods(sessions, subscription_id)
    with sessions() as session:
        following = session.scalar(
            text("SELECT next_charge_at FROM subscriptions WHERE id = :id"), {"id": subscription_id}
        )
    assert [end for _, end in found] == [start for start, _ in found[1:]] + [following]


def test_same_change_by_many_at_once_is_done_once(sessions: Sessions, paid: Subscribed):
    acts = [lambda: ask(sessions, PLAN, paid.code, Moment.NOW, key="once", plan="gold").change.id] * SIDES
    assert len(set(at_once(*acts))) == 1
    assert len(periods(sessions, paid.id)) == 2
    assert_contiguous(sessions, paid.id)


def test_different_changes_at_once_cut_the_period_once(sessions: Sessions, paid: Subscribed):
    """The first opens a charge that is not paid, so that the others are refused, whichever it is."""
    acts = [
        lambda quantity=quantity: ask(sessions, PLAN, paid.code, Moment.NOW, quantity=quantity).change.id
        for quantity in range(2, 2 + SIDES)
    ]
    results = at_once(*acts)
    assert sum(isinstance(each, int) for each in results) == 1
    assert all("in this very second" in each or "not paid yet" in each for each in results if isinstance(each, str))
    assert len(periods(sessions, paid.id)) == 2
    assert_contiguous(sessions, paid.id)


def test_two_subscriptions_of_a_customer_get_one_plan_once(sessions: Sessions, paid: Subscribed, book: Book):
    other = book.subscribe(now=BEGAN, plan="yearly")
    pay_all(sessions)
    with sessions.begin() as session:  # past the trigger that keeps whose a subscription is
        session.execute(text("SELECT set_config('session_replication_role', 'replica', true)"))
        session.execute(text("UPDATE subscriptions SET customer_reference = 'one customer'"))
    results = at_once(
        lambda: ask(sessions, PLAN, paid.code, Moment.NOW, plan="gold"),
        lambda: ask(sessions, PLAN, other.code, Moment.NOW, plan="gold"),
    )
    refused = [each for each in results if isinstance(each, str)]
    assert len(refused) == 1
    assert "another subscription to that plan" in refused[0] or "running subscription to plan 'gold'" in refused[0]


def test_ticks_that_open_and_changes_that_fall_due_agree_on_every_period(
    book: Book, sessions: Sessions, paid: Subscribed
):
    """Half of a due day is opened by ticks while the changes of that day are applied."""
    subscribed = [paid, *(book.subscribe(now=BEGAN) for _ in range(15))]
    pay_all(sessions)
    for each in subscribed:
        ask(sessions, PLAN, each.code, plan="gold")
    due = NOW + timedelta(days=20)
    ticks: list[Callable[[], object]] = [lambda: open_due_charges(sessions, now=due, limit=12)] * 3
    applying: list[Callable[[], object]] = [lambda: apply_due_changes(sessions, policy=POLICY, now=due)] * 3
    at_once(*ticks, *applying)
    open_due_charges(sessions, now=due, limit=12)
    for each in subscribed:
        assert_contiguous(sessions, each.id)
    with sessions() as session:
        amounts = session.execute(
            text("SELECT amount, count(*) FROM charges WHERE period_start > :now GROUP BY 1"), {"now": BEGAN}
        ).all()
    assert [tuple(row) for row in amounts] == [(19900, 16)]


def test_change_waits_for_a_write_back_and_sees_what_it_decided(book: Book, sessions: Sessions, engine: Engine):
    subscribed = book.subscribe(now=BEGAN)
    open_due_charges(sessions, now=BEGAN, limit=12)
    (attempt,) = claim_now(sessions, now=BEGAN)
    with pytest.raises(Refused, match="is charging"):
        ask(sessions, PLAN, subscribed.code, Moment.NOW, plan="gold")
    answer = settle(attempt, Paid(BEGAN, Answer(imp_uid="imps_1")), now=BEGAN, policy=RETRY_POLICY)
    with engine.connect() as held:
        held.execute(text("SELECT FROM charges FOR UPDATE"))  # as a write-back that has not committed yet
        with beside(engine, lambda: ask(sessions, PLAN, subscribed.code, Moment.NOW, plan="gold")) as asked:
            held.rollback()
        with pytest.raises(Refused, match="is charging"):
            asked.result()
    write_back(sessions, [answer], now=BEGAN)
    ask(sessions, PLAN, subscribed.code, Moment.NOW, plan="gold")
    assert_contiguous(sessions, subscribed.id)


def test_change_beside_a_refund_that_is_noted_waits_without_a_deadlock(
    sessions: Sessions, paid: Subscribed, engine: Engine
):
    """A sweep locks the paid charge first, and its subscription afterwards: so does a change."""
    with engine.connect() as sweep:
        sweep.execute(text("UPDATE charges SET refunded = amount"))
        with beside(engine, lambda: ask(sessions, PLAN, paid.code, Moment.NOW, plan="gold")) as asked:
            sweep.execute(text("UPDATE subscriptions SET waiting_since = NULL"))
            sweep.commit()
        with pytest.raises(Refused, match="was refunded in full"):
            asked.result()


def test_renewal_moved_beside_a_tick_that_opens_it_is_one_or_the_other(sessions: Sessions, paid: Subscribed):
    due = NOW + timedelta(days=20)  # five days after the renewal
    moved, _ = at_once(
        lambda: ask(sessions, MOVE, paid.code, on="2026-02-15", now=due),
        lambda: open_due_charges(sessions, now=due, limit=12),
    )
    assert isinstance(moved, str)  # its period has started and is not paid, whichever of the two has opened it
    assert "not paid yet" in moved
    assert_contiguous(sessions, paid.id)
