"""The transitions of a change: the table of the rules, the ledger's guarded UPDATE and the database's trigger agree."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.integration.conftest import NOW
from tests.support.book import Book
from worker.database.engine import Sessions
from worker.domain.changes import CHANGE_TRANSITIONS, ChangeKind, ChangeStatus, WaitsFor
from worker.ledger import changes
from worker.ledger.changes import NewChange

SCHEDULED = ChangeStatus.SCHEDULED
ENDS = sorted(set(ChangeStatus) - {SCHEDULED})

_MOVE = text("UPDATE changes SET status = :status, waits_for = NULL WHERE id = :id")


@pytest.fixture
def change_id(book: Book, sessions: Sessions) -> int:
    new = NewChange(
        kind=ChangeKind.CANCEL,
        subscription_id=book.subscribe(now=NOW).id,
        charge_id=None,
        parameters={},
        effective_at=NOW,
        reason="asked",
        digest="",
        preview={},
        fingerprint="",
        waits_for=WaitsFor.APPROVAL,
    )
    with sessions.begin() as session:
        (added,) = changes.add(session, [new], now=NOW)
    return added


def status_of(sessions: Sessions, change_id: int) -> ChangeStatus:
    with sessions() as session:
        change = changes.found(session, change_id)
    assert change is not None
    return change.status


def end(sessions: Sessions, change_id: int, status: ChangeStatus) -> bool:
    with sessions.begin() as session:
        return changes.end(session, [change_id], status, reason="a test", now=NOW) == 1


@pytest.mark.parametrize("ended", ENDS)
def test_ended_change_is_moved_neither_by_the_ledger_nor_in_the_database(
    sessions: Sessions, change_id: int, ended: ChangeStatus
):
    assert ended in CHANGE_TRANSITIONS[SCHEDULED]
    assert end(sessions, change_id, ended)
    for to in ChangeStatus:
        assert to not in CHANGE_TRANSITIONS[ended]
        assert not end(sessions, change_id, to)
        with pytest.raises(IntegrityError, match="is final"), sessions.begin() as session:
            session.execute(_MOVE, {"id": change_id, "status": to})
    assert status_of(sessions, change_id) is ended
    with sessions.begin() as session:
        assert not changes.go_on(session, change_id, expected=WaitsFor.APPROVAL, then=WaitsFor.PORTONE, now=NOW)


def test_change_is_scheduled_first_and_every_other_status_is_an_end():
    assert {SCHEDULED: frozenset(ENDS), **{each: frozenset() for each in ENDS}} == CHANGE_TRANSITIONS
