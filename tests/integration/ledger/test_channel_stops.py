"""Whose refusals stop a channel: many alike with nothing paid in between, and never one customer beside payers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from time import sleep

import pytest
from sqlalchemy import text

from tests.integration.conftest import NOW, claim_now, open_all
from tests.support.attempts import POLICY
from tests.support.book import Book
from worker.charging import kill_switch
from worker.database.engine import Sessions
from worker.domain.attempt import Attempt
from worker.domain.channel_evidence import ENOUGH, PROVEN_FOR, STOPPED_BY_REFUSALS
from worker.domain.outcomes import Answer, Declined, DeclineKind, Outcome, Paid, Unknown, UnknownReason
from worker.domain.settlement import settle
from worker.ledger import clock_steps, stops
from worker.ledger.write_back import apply_settlements, write_back

MINUTE = timedelta(minutes=1)


def paid(attempt: Attempt) -> Paid:
    uid = attempt.request.merchant_uid
    return Paid(attempt.started_at, Answer(http_status=200, code="0", imp_uid=f"imps_{uid}"))


def refused(kind: DeclineKind, message: str = "[X100]거절") -> Declined:
    return Declined(kind, Answer(http_status=200, code="-1", message=message))


def unknown_words(message: str) -> Unknown:
    return Unknown(UnknownReason.REFUSAL_NOT_KNOWN, Answer(http_status=200, code="1", message=message))


CONFIG = refused(DeclineKind.CONFIG, "[8901]미등록PG업체/거래정지업체")


def claimed(book: Book, sessions: Sessions, count: int, *, now: datetime = NOW, pg: str = "ksnet") -> list[Attempt]:
    """So many new customers of one PG, whose first charges are claimed together."""
    for _ in range(count):
        book.subscribe(now=now, pg=pg)
    open_all(sessions, now)
    return claim_now(sessions, now=now, limit=count)


def answer(sessions: Sessions, attempts: list[Attempt], outcome: Outcome, *, now: datetime = NOW) -> None:
    write_back(sessions, [settle(attempt, outcome, now=now, policy=POLICY) for attempt in attempts], now=now)


def pay(sessions: Sessions, attempts: list[Attempt], *, now: datetime = NOW) -> None:
    write_back(sessions, [settle(attempt, paid(attempt), now=now, policy=POLICY) for attempt in attempts], now=now)


def stopped(sessions: Sessions) -> dict[str, str]:
    with sessions() as session:
        standing = stops.active_stops(session)
    assert {stop.stopped_by for stop in standing} <= {STOPPED_BY_REFUSALS}
    return {stop.scope: stop.reason for stop in standing}


@pytest.fixture
def proven(book: Book, sessions: Sessions) -> datetime:
    """A channel that a customer has just paid through, and the minute after."""
    pay(sessions, claimed(book, sessions, 1))
    return NOW + MINUTE


def test_config_refusal_of_one_customer_holds_only_their_charge(book: Book, sessions: Sessions, proven: datetime):
    answer(sessions, claimed(book, sessions, 1, now=proven), CONFIG, now=proven)
    assert stopped(sessions) == {}
    with sessions() as session:
        (charge,) = session.execute(text("SELECT status, status_reason FROM charges WHERE deferrals > 0")).all()
    assert charge == ("due", "config: -1 [8901]미등록PG업체/거래정지업체")


def test_config_refusals_of_two_customers_stop_the_channel(book: Book, sessions: Sessions, proven: datetime):
    one, other = claimed(book, sessions, 2, now=proven)
    answer(sessions, [one], CONFIG, now=proven)
    answer(sessions, [other], refused(DeclineKind.CONFIG, "해지된 상점"), now=proven)
    assert list(stopped(sessions)) == ["ksnet"]
    assert "2 customers of ksnet" in stopped(sessions)["ksnet"]
    assert "`again start ksnet`" in stopped(sessions)["ksnet"]


def test_one_customer_refused_again_and_again_stops_nothing(book: Book, sessions: Sessions, proven: datetime):
    attempts = claimed(book, sessions, 1, now=proven)
    for hour in range(1, 6):
        answer(sessions, attempts, CONFIG, now=attempts[0].started_at)
        attempts = claim_now(sessions, now=proven + timedelta(hours=6 * hour))
        assert len(attempts) == 1
    assert stopped(sessions) == {}


def test_config_refusal_through_a_channel_never_paid_through_stops_it(book: Book, sessions: Sessions):
    answer(sessions, claimed(book, sessions, 1), CONFIG)
    assert list(stopped(sessions)) == ["ksnet"]


def test_payment_of_long_ago_proves_no_channel(book: Book, sessions: Sessions):
    pay(sessions, claimed(book, sessions, 1))
    later = NOW + PROVEN_FOR + MINUTE
    answer(sessions, claimed(book, sessions, 1, now=later), CONFIG, now=later)
    assert list(stopped(sessions)) == ["ksnet"]


def test_payment_sent_together_with_a_refusal_lifts_the_stop(book: Book, sessions: Sessions):
    blamed, payer = claimed(book, sessions, 2)
    answer(sessions, [blamed], CONFIG)
    assert list(stopped(sessions)) == ["ksnet"]
    pay(sessions, [payer])
    assert stopped(sessions) == {}


def test_payment_sent_before_a_refusal_lifts_no_stop(book: Book, sessions: Sessions):
    (early,) = claimed(book, sessions, 1)
    later = NOW + MINUTE
    answer(sessions, claimed(book, sessions, 2, now=later), CONFIG, now=later)
    pay(sessions, [early], now=later)
    assert list(stopped(sessions)) == ["ksnet"]


def test_payment_lifts_no_stop_of_an_operator(book: Book, sessions: Sessions):
    blamed, payer = claimed(book, sessions, 2)
    answer(sessions, [blamed], CONFIG)
    kill_switch.set_switch(sessions, "ksnet", reason="the PG has called", stopped_by="cli:kim", now=NOW)
    pay(sessions, [payer])
    with sessions() as session:
        assert [(stop.reason, stop.stopped_by) for stop in stops.active_stops(session)] == [
            ("the PG has called", "cli:kim")
        ]


def test_payment_in_between_begins_the_count_again(book: Book, sessions: Sessions, proven: datetime):
    for minute in range(4):
        now = proven + minute * MINUTE
        answer(sessions, claimed(book, sessions, 1, now=now), CONFIG, now=now)
        pay(sessions, claimed(book, sessions, 1, now=now + MINUTE / 2), now=now + MINUTE / 2)
    assert stopped(sessions) == {}


@pytest.mark.parametrize("kind", [DeclineKind.UNMATCHED, DeclineKind.HARD, DeclineKind.SOFT])
def test_refusals_alike_stop_the_channel_whatever_the_words(
    kind: DeclineKind, book: Book, sessions: Sessions, proven: datetime
):
    attempts = claimed(book, sessions, ENOUGH[kind], now=proven)
    answer(sessions, attempts[:-1], refused(kind), now=proven)
    assert stopped(sessions) == {}
    answer(sessions, attempts[-1:], refused(kind), now=proven)
    assert list(stopped(sessions)) == ["ksnet"]


def test_refusals_in_different_words_stop_nothing(book: Book, sessions: Sessions, proven: datetime):
    for number, attempt in enumerate(claimed(book, sessions, 8, now=proven)):
        answer(
            sessions,
            [attempt],
            refused(DeclineKind.UNMATCHED, f"[X{number:03}]거절 {'가나다라마바사아'[number]}"),
            now=proven,
        )
    assert stopped(sessions) == {}


def test_unknown_words_without_a_record_stop_the_channel_at_once(book: Book, sessions: Sessions, proven: datetime):
    answer(sessions, claimed(book, sessions, 3, now=proven), unknown_words("모르는 말 1588-1234"), now=proven)
    assert list(stopped(sessions)) == ["ksnet"]


def test_unknown_words_of_one_pg_stop_no_other(book: Book, sessions: Sessions, proven: datetime):
    attempts = claimed(book, sessions, 2, now=proven)
    attempts += claimed(book, sessions, 1, now=proven, pg="nice_v2")
    answer(sessions, attempts, unknown_words("모르는 말"), now=proven)
    assert stopped(sessions) == {}


def test_dunning_tries_refused_as_before_are_no_evidence(book: Book, sessions: Sessions, proven: datetime):
    attempts = claimed(book, sessions, 3, now=proven)
    for attempt in attempts:  # each beside a customer who pays
        answer(sessions, [attempt], refused(DeclineKind.UNMATCHED), now=proven)
        pay(sessions, claimed(book, sessions, 1, now=proven), now=proven)
    next_day = proven + timedelta(days=1, hours=12)
    again = claim_now(sessions, now=next_day)
    assert len(again) == 3
    answer(sessions, again, refused(DeclineKind.UNMATCHED), now=next_day)
    assert stopped(sessions) == {}


def test_released_channel_is_not_stopped_by_the_same_customers(book: Book, sessions: Sessions, proven: datetime):
    answer(sessions, claimed(book, sessions, 2, now=proven), CONFIG, now=proven)
    later = proven + timedelta(hours=1)
    kill_switch.start_charging(sessions, "ksnet", now=later)
    again = claim_now(sessions, now=later)
    assert len(again) == 2
    answer(sessions, again, CONFIG, now=later)
    assert stopped(sessions) == {}
    # two others, refused as well, are news
    answer(sessions, claimed(book, sessions, 2, now=later + MINUTE), CONFIG, now=later + MINUTE)
    assert list(stopped(sessions)) == ["ksnet"]


def test_released_channel_that_was_never_paid_through_is_not_stopped_by_one(book: Book, sessions: Sessions):
    answer(sessions, claimed(book, sessions, 1), CONFIG)
    for hour in range(1, 4):
        later = NOW + timedelta(hours=7 * hour)
        if hour == 1:
            kill_switch.start_charging(sessions, "ksnet", now=later)
        answer(sessions, claim_now(sessions, now=later), CONFIG, now=later)
        assert stopped(sessions) == {}


@pytest.mark.parametrize("_round", range(5))
def test_refusals_written_back_at_once_are_counted_together(
    _round: int, book: Book, sessions: Sessions, proven: datetime
):
    attempts = claimed(book, sessions, 2, now=proven)
    barrier = Barrier(2)

    def one(attempt: Attempt) -> None:
        barrier.wait()
        answer(sessions, [attempt], CONFIG, now=proven)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(one, attempts))
    assert list(stopped(sessions)) == ["ksnet"]


def test_evidence_of_a_channel_that_pays_stays_small(book: Book, sessions: Sessions):
    for minute in range(5):
        now = NOW + minute * MINUTE
        attempts = claimed(book, sessions, 6, now=now)
        answer(sessions, attempts[:2], refused(DeclineKind.SOFT, "한도초과"), now=now)
        answer(sessions, attempts[2:3], refused(DeclineKind.UNMATCHED), now=now)
        pay(sessions, attempts[3:], now=now)
    with sessions() as session:
        assert session.scalar(text("SELECT count(*) FROM refusals")) == 0


def test_stop_of_an_operator_outlasts_refusals_written_back_at_that_moment(book: Book, sessions: Sessions):
    refused_now, later = claimed(book, sessions, 2)
    with ThreadPoolExecutor() as pool, sessions.begin() as session:
        apply_settlements(session, [settle(refused_now, CONFIG, now=NOW, policy=POLICY)], now=NOW)
        waits = pool.submit(kill_switch.set_switch, sessions, "ksnet", reason="audit", stopped_by="me", now=NOW)
        await_waiting(sessions)
        session.commit()
        waits.result(timeout=60)
    pay(sessions, [later])
    with sessions() as session:
        assert [(stop.scope, stop.reason) for stop in stops.active_stops(session)] == [("ksnet", "audit")]


def await_waiting(sessions: Sessions) -> None:
    """Wait until a connection to this database waits for another's lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while True:
        with sessions() as session:
            if session.scalar(text(waiting)):
                return
        sleep(0.01)


def test_refusals_after_a_clock_that_was_ahead_stop_the_channel(book: Book, sessions: Sessions):
    """A payment of the wrong time does not outweigh them for as long as the clock was set back."""
    ahead = NOW + timedelta(days=400)
    pay(sessions, claimed(book, sessions, 1, now=ahead), now=ahead)
    set_right(sessions)
    answer(sessions, claimed(book, sessions, 2, now=NOW + MINUTE), CONFIG, now=NOW + MINUTE)
    assert set(stopped(sessions)) == {"ksnet"}


def test_refusals_of_a_clock_that_was_ahead_are_over_with_the_next_payment(book: Book, sessions: Sessions):
    alike, ahead = refused(DeclineKind.UNMATCHED), NOW + timedelta(days=400)
    enough = ENOUGH[DeclineKind.UNMATCHED]
    answer(sessions, claimed(book, sessions, enough - 1, now=ahead), alike, now=ahead)
    set_right(sessions)
    pay(sessions, claimed(book, sessions, 1, now=NOW + MINUTE), now=NOW + MINUTE)
    answer(sessions, claimed(book, sessions, 1, now=NOW + 2 * MINUTE), alike, now=NOW + 2 * MINUTE)
    assert stopped(sessions) == {}


def test_send_of_a_clock_that_was_ahead_counts_from_its_write_back(book: Book, sessions: Sessions):
    sent = claimed(book, sessions, 1, now=NOW + timedelta(days=1))
    set_right(sessions)
    answers = [settle(each, Paid(NOW, paid(each).answer), now=NOW, policy=POLICY) for each in sent]
    write_back(sessions, answers, now=NOW)
    answer(sessions, claimed(book, sessions, 2, now=NOW + MINUTE), CONFIG, now=NOW + MINUTE)
    assert set(stopped(sessions)) == {"ksnet"}


def set_right(sessions: Sessions) -> None:
    with sessions.begin() as session:
        clock_steps.restart_timers(session, now=NOW, lease=MINUTE)
