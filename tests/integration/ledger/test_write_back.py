"""Write-back against a real PostgreSQL: what each guard lets through, and what it refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from time import monotonic, sleep

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.integration.conftest import NOW, claim_now, open_all
from tests.integration.ledger.test_claiming import POLICY, give_back
from tests.support.book import Book
from worker.database.engine import Sessions
from worker.domain.attempt import Attempt
from worker.domain.outcomes import (
    Answer,
    Declined,
    DeclineKind,
    NotCharged,
    NotChargedReason,
    Outcome,
    Paid,
    Unknown,
    UnknownReason,
)
from worker.domain.settlement import settle
from worker.ledger import lookup_queue
from worker.ledger.write_back import WriteBack, apply_settlements, write_back

PAID = Paid(NOW, Answer(http_status=200, code="0", imp_uid="imps_1", pg_tid="T1", raw={"status": "paid"}))
SOFT = Declined(DeclineKind.SOFT, Answer(http_status=200, code="0", message="[LACK_BALANCE]", imp_uid="imps_2"))


def write(sessions: Sessions, attempt: Attempt, outcome: Outcome) -> WriteBack:
    return write_back(sessions, [settle(attempt, outcome, now=NOW, policy=POLICY)], now=NOW)


def states(sessions: Sessions) -> tuple[str, str]:
    query = text("SELECT c.status, a.status FROM charges c JOIN attempts a ON a.charge_id = c.id ORDER BY a.id")
    with sessions() as session:
        charge, attempt = session.execute(query).one()
    return charge, attempt


def discrepancies(sessions: Sessions) -> list[tuple[str, str, str]]:
    with sessions() as session:
        found = session.execute(text("SELECT kind, status, imp_uid FROM discrepancies ORDER BY id"))
        return [(row.kind, row.status, row.imp_uid) for row in found]


@pytest.fixture
def attempt(book: Book, sessions: Sessions) -> Attempt:
    book.subscribe(now=NOW)
    open_all(sessions)
    (claimed,) = claim_now(sessions)
    return claimed


def test_paid_is_written_to_the_attempt_and_the_charge(attempt: Attempt, sessions: Sessions):
    result = write(sessions, attempt, PAID)
    assert (len(result.settled), result.late, result.contradictions) == (1, (), ())
    assert states(sessions) == ("paid", "paid")


def test_the_same_answer_twice_changes_nothing_the_second_time(attempt: Attempt, sessions: Sessions):
    write(sessions, attempt, PAID)
    result = write(sessions, attempt, PAID)
    assert (result.settled, len(result.late), result.contradictions) == ((), 1, ())


def test_a_late_decline_does_not_undo_a_payment(attempt: Attempt, sessions: Sessions):
    write(sessions, attempt, PAID)
    assert write(sessions, attempt, SOFT).settled == ()
    assert states(sessions) == ("paid", "paid")


@pytest.mark.parametrize(
    "outcome",
    [SOFT, NotCharged(NotChargedReason.LEASE_OVER), Unknown(UnknownReason.TIMEOUT)],
    ids=["decline", "not charged", "unknown"],
)
def test_an_answer_to_an_earlier_send_does_not_settle_a_later_one(
    outcome: Outcome, attempt: Attempt, sessions: Sessions
):
    give_back(sessions, attempt)
    (again,) = claim_now(sessions, now=NOW + timedelta(minutes=5))
    assert again.id == attempt.id
    assert write(sessions, attempt, outcome).settled == ()
    assert states(sessions) == ("charging", "started")


def test_a_payment_by_an_earlier_send_counts(attempt: Attempt, sessions: Sessions):
    give_back(sessions, attempt)
    claim_now(sessions, now=NOW + timedelta(minutes=5))
    assert len(write(sessions, attempt, PAID).settled) == 1
    assert states(sessions) == ("paid", "paid")


def test_a_payment_that_turns_up_after_the_proof_that_there_was_none_counts(attempt: Attempt, sessions: Sessions):
    give_back(sessions, attempt)
    assert states(sessions) == ("due", "not_charged")
    result = write(sessions, attempt, PAID)
    assert (len(result.settled), result.contradictions) == (1, ())
    assert states(sessions) == ("paid", "paid")


def test_payment_after_a_decline_pays_the_charge_and_opens_a_discrepancy(attempt: Attempt, sessions: Sessions):
    write(sessions, attempt, SOFT)
    result = write(sessions, attempt, PAID)
    assert len(result.contradictions) == 1
    # The attempt stays as it is until a sweep has seen the payment, but the period is not charged again.
    assert states(sessions) == ("paid", "declined")
    assert discrepancies(sessions) == [("declined_here", "open", "imps_1")]
    with sessions() as session:
        assert session.scalars(text("SELECT status FROM subscriptions")).one() == "active"


def test_a_second_payment_of_one_merchant_uid_is_a_contradiction(attempt: Attempt, sessions: Sessions):
    write(sessions, attempt, PAID)
    other = Paid(NOW, Answer(http_status=200, code="0", imp_uid="imps_2"))
    assert len(write(sessions, attempt, other).contradictions) == 1
    assert states(sessions) == ("paid", "paid")
    assert discrepancies(sessions) == [("paid_twice", "open", "imps_2")]


def test_payment_of_a_void_charge_opens_a_discrepancy(attempt: Attempt, sessions: Sessions):
    write(sessions, attempt, NotCharged(NotChargedReason.CONNECT_FAILED))
    with sessions.begin() as session:
        session.execute(text("UPDATE charges SET status = 'void', next_attempt_at = NULL, wait_reason = NULL"))
    assert len(write(sessions, attempt, PAID).contradictions) == 1
    assert states(sessions) == ("void", "paid")
    assert discrepancies(sessions) == [("not_owed", "open", "imps_1")]


def test_flagged_attempt_is_a_discrepancy_until_its_outcome_is_clear(attempt: Attempt, sessions: Sessions):
    odd = Unknown(UnknownReason.OTHER_PAYMENT, needs_human=True)
    write(sessions, attempt, odd)
    assert discrepancies(sessions) == [("unresolved", "open", "")]
    write(sessions, attempt, PAID)
    assert discrepancies(sessions) == [("unresolved", "gone", "")]


def test_payment_found_by_two_at_once_is_no_contradiction(attempt: Attempt, sessions: Sessions):
    found = [settle(attempt, PAID, now=NOW, policy=POLICY)]
    with ThreadPoolExecutor(1) as pool:
        with sessions.begin() as first:
            apply_settlements(first, found, now=NOW)
            second = pool.submit(write_back, sessions, found, now=NOW)
            with sessions() as watching:
                until(lambda: bool(watching.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))))
        result = second.result()
    assert (len(result.late), result.contradictions) == (1, ())
    assert discrepancies(sessions) == []


def until(reached: Callable[[], bool]) -> None:
    deadline = monotonic() + 60
    while not reached():
        assert monotonic() < deadline
        sleep(0.01)


def test_an_abandoned_attempt_is_still_settled_by_its_workers_answer(attempt: Attempt, sessions: Sessions):
    with sessions.begin() as session:
        assert lookup_queue.expire_leases(session, now=NOW + timedelta(hours=1), limit=10) == 1
    assert states(sessions) == ("charging", "unknown")
    assert len(write(sessions, attempt, PAID).settled) == 1
    assert states(sessions) == ("paid", "paid")


def test_an_attempt_within_its_lease_is_not_abandoned(attempt: Attempt, sessions: Sessions):
    with sessions.begin() as session:
        assert lookup_queue.expire_leases(session, now=NOW + timedelta(minutes=1), limit=10) == 0
    assert states(sessions) == ("charging", "started")


def test_a_look_up_is_taken_by_one_and_comes_back_when_its_taker_dies(attempt: Attempt, sessions: Sessions):
    write(sessions, attempt, Unknown(UnknownReason.TIMEOUT))
    due, hold = NOW + timedelta(minutes=6), timedelta(minutes=2)
    with sessions.begin() as session:
        (taken,) = lookup_queue.lease_due(session, now=due, limit=10, lease=hold)
    assert taken.request == attempt.request
    with sessions.begin() as session:
        assert lookup_queue.lease_due(session, now=due, limit=10, lease=hold) == []
        assert len(lookup_queue.lease_due(session, now=due + hold, limit=10, lease=hold)) == 1


def test_a_hard_decline_kills_the_key_and_a_config_decline_stops_the_channel(book: Book, sessions: Sessions):
    for _ in range(2):
        book.subscribe(now=NOW)
    open_all(sessions)
    one, other = claim_now(sessions)
    hard = settle(one, Declined(DeclineKind.HARD, SOFT.answer), now=NOW, policy=POLICY)
    config = settle(other, Declined(DeclineKind.CONFIG, SOFT.answer), now=NOW, policy=POLICY)
    write_back(sessions, [hard, config], now=NOW)
    with sessions() as session:
        assert session.execute(text("SELECT id, status FROM billing_keys ORDER BY status")).all() == [
            (other.charge.billing_key_id, "active"),
            (one.charge.billing_key_id, "dead"),
        ]
        assert session.scalars(text("SELECT scope FROM stops")).all() == ["kakaopay"]
        assert session.scalars(text("SELECT status FROM subscriptions ORDER BY id")).all() == ["past_due", "active"]


def test_every_change_of_a_status_is_in_the_audit_with_who_and_why(attempt: Attempt, sessions: Sessions):
    write(sessions, attempt, SOFT)
    with sessions() as session:
        trail = session.execute(
            text(
                "SELECT entity, from_status, to_status, reason, actor FROM audit WHERE entity IN ('charge', 'attempt')"
                " ORDER BY id"
            )
        ).all()
    # The order within one statement is PostgreSQL's affair.
    assert Counter((row.entity, row.from_status, row.to_status) for row in trail) == Counter(
        {
            ("charge", None, "due"): 1,
            ("charge", "due", "charging"): 1,
            ("attempt", None, "started"): 1,
            ("attempt", "started", "declined"): 1,
            ("charge", "charging", "past_due"): 1,
        }
    )
    assert {row.actor for row in trail} == {"test"}
    assert trail[-1].reason == "soft: 0 [LACK_BALANCE]"


FORBIDDEN = {
    "a paid charge is reopened": "UPDATE charges SET status = 'due', paid_at = NULL, next_attempt_at = now()",
    "a paid attempt is reopened": "UPDATE attempts SET status = 'started'",
    "an attempt is deleted": "DELETE FROM attempts",
    "the audit is rewritten": "UPDATE audit SET reason = 'never happened'",
    "the audit is shortened": "DELETE FROM audit",
    "a paid charge has no date": "UPDATE charges SET paid_at = NULL",
    "a period gets a second charge": """
        INSERT INTO charges (subscription_id, period_start, period_end, amount, tax_free, currency, order_name, status,
                             status_at, next_attempt_at, created_at)
        SELECT subscription_id, period_start, period_end, amount, 0, 'KRW', '', 'due', status_at, status_at, status_at
        FROM charges""",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_broken_promise_is_refused_by_the_database_itself(what: str, attempt: Attempt, sessions: Sessions):
    write(sessions, attempt, PAID)
    with pytest.raises(IntegrityError), sessions.begin() as session:
        session.execute(text(FORBIDDEN[what]))


def test_batch_of_any_mixture_is_written_back(book: Book, sessions: Sessions):
    outcomes: list[Outcome] = [
        PAID,
        SOFT,
        NotCharged(NotChargedReason.CONNECT_FAILED),
        Unknown(UnknownReason.TIMEOUT),
        PAID,
    ]
    for _ in outcomes:
        book.subscribe(now=NOW)
    open_all(sessions)
    attempts = claim_now(sessions)
    settlements = [
        settle(one, outcome, now=NOW, policy=POLICY) for one, outcome in zip(attempts, outcomes, strict=True)
    ]
    # An answer about a row that is no longer there, as after a restored backup, must not take the others with it.
    stranger = replace(settlements[0], attempt=replace(attempts[0], id=10**9))
    result = write_back(sessions, [*settlements, stranger], now=NOW)
    assert (len(result.settled), len(result.late)) == (5, 1)
    with sessions() as session:
        assert session.scalars(text("SELECT status FROM charges ORDER BY id")).all() == [
            "paid",
            "past_due",
            "due",
            "charging",
            "paid",
        ]


def answer(sessions: Sessions) -> Answer:
    """What is stored as PortOne's answer."""
    query = text("SELECT http_status, code, message, imp_uid, pg_tid, raw FROM attempts")
    with sessions() as session:
        return Answer(**session.execute(query).one()._mapping)


LOST = Unknown(UnknownReason.CONNECTION_LOST, Answer(message="RemoteProtocolError"))
SHOWN = Paid(NOW, Answer(http_status=200, code="paid", imp_uid="imps_1", pg_tid="T1", raw={"status": "paid"}))
UNREAD = Unknown(
    UnknownReason.SERVER_ERROR, Answer(http_status=201, code="0", imp_uid="imps_9", pg_tid="T9", raw={"status": "paid"})
)
BEFORE_IT_IS_PAID = {
    "an answer that was lost": LOST,
    "a token that was refused": NotCharged(NotChargedReason.UNAUTHORIZED, Answer(message="PortOne answered 401")),
    "a gateway's fault": Unknown(UnknownReason.SERVER_ERROR, Answer(http_status=502, code="-1", message="Bad Gateway")),
    "an odd answer with a payment of its own": UNREAD,
    "a record that was failed": Unknown(UnknownReason.IN_PROGRESS, SOFT.answer),
}


@pytest.mark.parametrize("paid", [PAID, SHOWN], ids=["answered", "looked up"])
@pytest.mark.parametrize("before", BEFORE_IT_IS_PAID.values(), ids=BEFORE_IT_IS_PAID)
def test_an_answer_replaces_the_one_before_it_whole(before: Outcome, paid: Paid, attempt: Attempt, sessions: Sessions):
    write(sessions, attempt, before)
    write(sessions, attempt, paid)
    assert answer(sessions) == paid.answer


def test_an_answer_without_a_payment_keeps_the_ids_of_the_one_before_it(attempt: Attempt, sessions: Sessions):
    write(sessions, attempt, UNREAD)
    write(sessions, attempt, LOST)
    assert answer(sessions) == replace(LOST.answer, imp_uid="imps_9", pg_tid="T9")


def test_an_answer_with_a_payment_keeps_no_id_of_another_one(attempt: Attempt, sessions: Sessions):
    write(sessions, attempt, UNREAD)
    write(sessions, attempt, Unknown(UnknownReason.IN_PROGRESS, SOFT.answer))
    assert answer(sessions) == SOFT.answer


@pytest.mark.parametrize(
    "nothing_learnt",
    [
        Unknown(UnknownReason.LOOK_UP_FAILED, Answer(http_status=404, message="not PortOne's envelope")),
        Unknown(UnknownReason.NOT_FOUND_YET),
        NotCharged(NotChargedReason.NOT_FOUND),
    ],
    ids=["look-up failed", "not found yet", "not found"],
)
def test_an_answer_outlives_a_look_up_that_learns_nothing(
    nothing_learnt: Outcome, attempt: Attempt, sessions: Sessions
):
    write(sessions, attempt, UNREAD)
    write(sessions, attempt, nothing_learnt)
    assert answer(sessions) == UNREAD.answer


def test_payment_settled_twice_at_once_is_not_taken_for_two(book: Book, sessions: Sessions):
    book.subscribe(now=NOW)
    open_all(sessions)
    (attempt,) = claim_now(sessions)
    paid = settle(attempt, PAID, now=NOW, policy=POLICY)
    with ThreadPoolExecutor(1) as threads, sessions() as first:
        apply_settlements(first, [paid], now=NOW)
        second = threads.submit(write_back, sessions, [paid], now=NOW)
        _wait_until_blocked(sessions)
        first.commit()
    assert (second.result().contradictions, len(second.result().late)) == ((), 1)
    with sessions() as session:
        assert session.execute(text("SELECT count(*) FROM discrepancies")).scalar_one() == 0


def _wait_until_blocked(sessions: Sessions) -> None:
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    deadline = monotonic() + 60
    while monotonic() < deadline:
        with sessions() as session:
            if session.execute(waiting).scalar_one():
                return
    pytest.fail("nobody waits for a lock")
