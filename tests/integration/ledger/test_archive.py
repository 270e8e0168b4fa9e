"""Answers of long ago in blocks: shown as before, changed by no role, and archived again after any crash."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.integration.conftest import NOW, claim_now, open_all
from tests.support.attempts import POLICY
from tests.support.book import Book
from worker.database.engine import Sessions
from worker.domain.outcomes import Answer, Declined, DeclineKind, Outcome, Paid, Unknown, UnknownReason
from worker.domain.settlement import settle
from worker.ledger import history
from worker.ledger.archive import archivable, archive
from worker.ledger.write_back import write_back

LATER = NOW + timedelta(days=1)
PAID = Paid(NOW, Answer(http_status=200, code="0", imp_uid="imps_1", raw={"status": "paid", "amount": 9900}))
SOFT = Declined(DeclineKind.SOFT, Answer(http_status=200, code="0", imp_uid="imps_2", raw={"status": "failed"}))
UNKNOWN = Unknown(UnknownReason.TIMEOUT, Answer(http_status=502, raw={"status": "ready"}))


@pytest.fixture
def outcomes(book: Book, sessions: Sessions) -> None:
    """Attempts 1 to 3: paid, declined and waiting for its dunning day, unknown."""
    found: list[Outcome] = [PAID, SOFT, UNKNOWN]
    for _ in found:
        book.subscribe(now=NOW)
    open_all(sessions)
    attempts = sorted(claim_now(sessions), key=lambda attempt: attempt.id)
    settled = [settle(each, outcome, now=NOW, policy=POLICY) for each, outcome in zip(attempts, found, strict=True)]
    write_back(sessions, settled, now=NOW)


def run(sessions: Sessions, before: datetime = LATER) -> int:
    progress = list(archive(sessions, before=before, reason="it is old", now=LATER))
    return progress[-1].archived if progress else 0


def rows(sessions: Sessions, query: str) -> list[tuple[object, ...]]:
    with sessions() as session:
        return [tuple(row) for row in session.execute(text(query))]


@pytest.mark.usefixtures("outcomes")
def test_answers_of_settled_charges_move_into_a_block_and_are_shown_as_before(sessions: Sessions):
    with sessions() as session:
        before = {charge: history.attempts(session, charge) for charge in (1, 2, 3)}
    assert run(sessions) == 1
    moved = rows(sessions, "SELECT raw IS NULL, archived_in IS NOT NULL FROM attempts ORDER BY id")
    assert moved == [(True, True), (False, False), (False, False)], "what waits for a day or an outcome stays"
    with sessions() as session:
        assert {charge: history.attempts(session, charge) for charge in (1, 2, 3)} == before
    kept = rows(sessions, "SELECT attempt_ids, answers FROM archived_answers")
    assert kept == [([1], {"1": {"status": "paid", "amount": 9900}})]


@pytest.mark.usefixtures("outcomes")
def test_archiving_again_finds_nothing_and_a_run_is_in_the_audit_once(sessions: Sessions):
    assert (run(sessions), run(sessions)) == (1, 0)
    with sessions() as session:
        (act,) = history.operator_acts(session, about="archive", limit=9)
    assert (act["to_status"], act["reason"], act["actor"]) == ("archived", "it is old", "test")


@pytest.mark.usefixtures("outcomes")
def test_answers_of_later_than_the_month_stay(sessions: Sessions):
    assert archivable(sessions, NOW).attempts == 0
    assert run(sessions, before=NOW) == 0
    assert archivable(sessions, LATER).attempts == 2, "with the declined one, which waits"


@pytest.mark.usefixtures("outcomes")
def test_attempt_that_another_transaction_has_locked_is_archived_the_next_time(sessions: Sessions):
    with sessions.begin() as session:
        session.execute(text("SELECT FROM attempts WHERE id = 1 FOR UPDATE"))
        assert run(sessions) == 0
    assert run(sessions) == 1


@pytest.mark.usefixtures("outcomes")
def test_archived_attempt_still_blocks_its_merchant_uid_and_is_found_by_it(sessions: Sessions):
    run(sessions)
    columns = "billing_key_id, merchant_uid, status, status_at, sends, started_at, lease_until, imp_uid"
    again = f"INSERT INTO attempts (charge_id, number, {columns}) SELECT 2, 9, {columns} FROM attempts WHERE id = 1"
    with pytest.raises(IntegrityError, match="attempts_merchant_uid_key"), sessions.begin() as session:
        session.execute(text(again))
    with sessions() as session:
        merchant_uid = session.scalars(text("SELECT merchant_uid FROM attempts WHERE id = 1")).one()
        assert history.charge_of(session, merchant_uid) == 1


@pytest.mark.usefixtures("outcomes")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE attempts SET raw = NULL WHERE id = 2",
        "UPDATE attempts SET raw = NULL, archived_in = 1 WHERE id = 2",
        "UPDATE attempts SET raw = NULL, archived_in = 9 WHERE id = 2",
        "UPDATE attempts SET archived_in = NULL WHERE archived_in IS NOT NULL",
        "UPDATE attempts SET raw = '{}' WHERE status = 'paid'",
        "UPDATE archived_answers SET answers = '{}'",
        "DELETE FROM archived_answers",
    ],
)
def test_answer_is_removed_or_changed_by_no_statement(sessions: Sessions, statement: str):
    """The attempt 1 is in the block 1; the attempt 2 was declined, and is in none."""
    run(sessions)
    with pytest.raises(IntegrityError), sessions.begin() as session:
        session.execute(text(statement))
