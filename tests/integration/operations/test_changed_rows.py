"""Every change is judged by the next check or the one after it, in whatever order transactions commit."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.integration.conftest import NOW, claim_now, open_all
from tests.support.book import Book
from worker.database.engine import Sessions, create_database_engine, session_factory
from worker.operations import changed_rows
from worker.operations.changed_rows import Changes, Touched
from worker.operations.invariant_check import check_invariants
from worker.operations.invariants import Thresholds

THRESHOLDS = Thresholds(lookup_backoff=timedelta(days=8), sweep_every=timedelta(days=1))
UNKNOWN = "UPDATE attempts SET status = 'unknown', next_lookup_at = :now"
BREAK = "UPDATE attempts SET status = 'not_charged', next_lookup_at = NULL WHERE id = :id"
BROKEN = "charging_has_an_open_attempt"


@pytest.fixture
def in_flight(book: Book, sessions: Sessions) -> Sessions:
    """Four charges with an unknown outcome, of which every change has been judged."""
    for _ in range(4):
        book.subscribe(now=NOW)
    open_all(sessions)
    claim_now(sessions)
    with sessions.begin() as session:
        session.execute(text(UNKNOWN), {"now": NOW})
    while look(sessions):
        pass
    return sessions


def look(sessions: Sessions, *, limit: int = changed_rows.CHANGES_AT_ONCE) -> set[int]:
    """Look once; return the attempts that have changed."""
    with sessions.begin() as session:
        found = changed_rows.look(session, limit=limit)
        changed_rows.advance(session, found.next)
    return found.changes.attempts


def damage(session: Session, attempt_id: int) -> None:
    session.execute(text(BREAK), {"id": attempt_id})


def test_each_change_is_read_once(in_flight: Sessions):
    with in_flight.begin() as session:
        damage(session, 1)
    assert look(in_flight) == {1}
    assert look(in_flight) == set()
    assert look(in_flight) == set()


def test_transaction_that_commits_late_is_read_though_later_ids_were(in_flight: Sessions):
    with in_flight() as late:
        damage(late, 1)
        for attempt_id in (2, 3):
            with in_flight.begin() as session:
                damage(session, attempt_id)
            assert look(in_flight) == {attempt_id}
        assert look(in_flight) == set()
        late.commit()
    assert look(in_flight) == {1}
    assert look(in_flight) == set()


def test_violation_of_a_transaction_that_commits_late_is_found(in_flight: Sessions):
    with in_flight() as late:
        damage(late, 1)
        with in_flight.begin() as session:
            damage(session, 2)
        assert check_invariants(in_flight, now=NOW, thresholds=THRESHOLDS).broken == {BROKEN: 1}
        late.commit()
    assert check_invariants(in_flight, now=NOW, thresholds=THRESHOLDS).broken == {BROKEN: 2}


def test_clock_that_was_set_back_hides_no_change(in_flight: Sessions):
    with in_flight.begin() as session:
        damage(session, 1)
        session.execute(text("UPDATE attempts SET status_at = :then WHERE id = 2"), {"then": NOW - timedelta(days=900)})
    earlier = NOW - timedelta(days=365)
    assert check_invariants(in_flight, now=earlier, thresholds=THRESHOLDS).broken[BROKEN] == 1


def test_more_changes_than_one_look_reads_are_read_by_the_next_ones(in_flight: Sessions):
    with in_flight.begin() as session:
        for attempt_id in (1, 2, 3, 4):
            damage(session, attempt_id)
    read = [look(in_flight, limit=3) for _ in range(3)]
    assert set.union(*read) == {1, 2, 3, 4}
    assert read[0] == {1, 2, 3}


def test_check_goes_on_until_it_has_read_everything(in_flight: Sessions, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(changed_rows, "CHANGES_AT_ONCE", 2)
    with in_flight.begin() as session:
        for attempt_id in (1, 2, 3, 4):
            damage(session, attempt_id)
    assert check_invariants(in_flight, now=NOW, thresholds=THRESHOLDS).broken == {BROKEN: 4}


def test_what_a_worker_settles_without_a_row_in_the_audit_is_judged(book: Book, sessions: Sessions, database_url: str):
    engine = create_database_engine(database_url, actor="worker 1")
    worker = session_factory(engine)
    book.subscribe(now=NOW)
    open_all(worker)
    claim_now(worker)
    for _ in range(3):
        assert look(sessions) == {1}, "it is open"
    with worker.begin() as session:
        session.execute(text("UPDATE attempts SET status = 'paid', imp_uid = 'imps_1'"))
        assert session.scalar(text("SELECT count(*) FROM audit WHERE entity IN ('charge', 'attempt')")) == 0
    engine.dispose()
    broken = check_invariants(sessions, now=NOW, thresholds=THRESHOLDS).broken
    assert broken.keys() == {"paid_attempt_pays_its_charge", "charging_has_an_open_attempt"}
    assert look(sessions) == set()


def test_in_a_copy_everything_is_read_that_may_be_new(in_flight: Sessions):
    with in_flight.begin() as session:
        damage(session, 1)
    assert look(in_flight) == {1}
    with in_flight.begin() as session:
        session.execute(text("UPDATE invariant_position SET database = 'another'"))
        damage(session, 2)
    assert look(in_flight) == {1, 2}


@pytest.mark.parametrize("xid", [1, 1 << 40], ids=["far behind", "far ahead"])
def test_numbers_of_another_cluster_do_not_keep_the_position_from_moving(xid: int, in_flight: Sessions):
    with in_flight.begin() as session:
        session.execute(text("UPDATE invariant_position SET pending_xid = :xid"), {"xid": xid})
        damage(session, 1)
    for _ in range(2):
        look(in_flight)
    with in_flight() as session:
        settled, last = session.execute(
            text("SELECT CAST(settled ->> 'audit' AS bigint), (SELECT max(id) FROM audit) FROM invariant_position")
        ).one()
    assert settled == last


def test_changes_of_every_kind_lead_to_charges_and_subscriptions(in_flight: Sessions):
    with in_flight() as session:
        charge, subscription, attempt, key = session.execute(
            text("""
            SELECT c.id, s.id, a.id, s.billing_key_id FROM subscriptions s
            JOIN charges c ON c.subscription_id = s.id JOIN attempts a ON a.charge_id = c.id LIMIT 1""")
        ).one()
        for changes in (
            Changes(charges={charge}),
            Changes(attempts={attempt}),
            Changes(subscriptions={subscription}),
            Changes(billing_keys={key}),
            Changes(consenting={subscription}),
        ):
            assert changed_rows.touched(session, changes) == Touched([charge], {subscription})
