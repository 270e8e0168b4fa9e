"""Calls are counted in the transaction that writes back what came of them: once, whatever is repeated."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.conftest import NOW, claim_now, open_all
from tests.integration.ledger.test_claiming import POLICY
from tests.support.book import Book
from worker.database.engine import Sessions
from worker.domain.attempt import Attempt
from worker.domain.outcomes import Answer, Declined, DeclineKind, Outcome, Paid, Unknown, UnknownReason
from worker.domain.settlement import settle
from worker.ledger import call_totals
from worker.ledger.call_totals import BOUNDS, CallTotal
from worker.ledger.write_back import write_back

DECLINED = Declined(DeclineKind.SOFT, Answer(http_status=200, code="0", message="[LACK_BALANCE]"))
UNKNOWN = Unknown(UnknownReason.TIMEOUT)


def paid(attempt: Attempt) -> Paid:
    return Paid(NOW, Answer(http_status=200, code="0", imp_uid=f"imps_{attempt.id}", raw={"status": "paid"}))


def write(sessions: Sessions, answers: Sequence[tuple[Attempt, Outcome]], seconds: float) -> None:
    settlements = [settle(attempt, outcome, now=NOW, policy=POLICY) for attempt, outcome in answers]
    took = {attempt.request.merchant_uid: seconds for attempt, _ in answers}
    write_back(sessions, settlements, now=NOW, seconds=took)


def totals(sessions: Sessions) -> dict[tuple[str, str], CallTotal]:
    with sessions() as session:
        return {(each.pg, each.outcome): each for each in call_totals.totals(session)}


@pytest.fixture
def attempts(book: Book, sessions: Sessions) -> list[Attempt]:
    for number in range(12):
        book.subscribe(now=NOW, pg="kakaopay" if number % 2 else "payco")
    open_all(sessions)
    return list(claim_now(sessions))


@pytest.mark.parametrize("outcome", [DECLINED, UNKNOWN], ids=["declined", "unknown"])
def test_batch_that_is_written_back_twice_counts_its_calls_once(
    outcome: Outcome, attempts: list[Attempt], sessions: Sessions
):
    answers = [(attempt, outcome) for attempt in attempts]
    write(sessions, answers, 0.3)
    write(sessions, answers, 0.3)  # the database had committed, and its word was lost
    found = totals(sessions)
    assert {key[0]: sum(each.calls) for key, each in found.items()} == {"kakaopay": 6, "payco": 6}
    assert all(each.seconds == pytest.approx(1.8) for each in found.values())


def test_calls_are_counted_by_pg_outcome_and_how_long_they_took(attempts: list[Attempt], sessions: Sessions):
    first, second, third, *_ = (attempt for attempt in attempts if attempt.request.pg == "payco")
    write(sessions, [(first, paid(first))], BOUNDS[0])
    write(sessions, [(second, paid(second))], BOUNDS[-1] + 1)
    write(sessions, [(third, DECLINED)], 0.0)
    found = totals(sessions)
    assert list(found["payco", "paid"].calls) == [1, *[0] * (len(BOUNDS) - 1), 1]
    assert sum(found["payco", "declined"].calls) == 1


def test_outcome_without_a_call_is_not_counted(attempts: list[Attempt], sessions: Sessions):
    settlements = [settle(attempts[0], UNKNOWN, now=NOW, policy=POLICY)]
    write_back(sessions, settlements, now=NOW, seconds={})
    assert totals(sessions) == {}


def test_look_up_of_an_answered_attempt_counts_no_second_call(attempts: list[Attempt], sessions: Sessions):
    attempt = attempts[0]
    write(sessions, [(attempt, UNKNOWN)], 1.0)
    write(sessions, [(attempt, paid(attempt))], 1.0)
    assert {outcome: sum(each.calls) for (_, outcome), each in totals(sessions).items()} == {"unknown": 1}


def test_processes_that_write_back_at_once_lose_no_call(attempts: list[Attempt], sessions: Sessions):
    with ThreadPoolExecutor(6) as side_by_side:
        list(side_by_side.map(lambda each: write(sessions, [(each, paid(each))], 0.2), attempts))
    assert {pg: sum(each.calls) for (pg, _), each in totals(sessions).items()} == {"kakaopay": 6, "payco": 6}
