"""The walk through what comes: notices are made together, up to so many in a tick, and each on its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
import structlog
from sqlalchemy import Engine, event, text
from structlog.testing import capture_logs

from tests.integration.conftest import NOW
from tests.support.book import Book
from worker.changes.kind import ChangePolicy
from worker.database.engine import Sessions
from worker.notices import walking
from worker.notices.policy import NoticePolicy
from worker.notices.sending import SentNotices, send_notices

POLICY = NoticePolicy(changes=ChangePolicy(max_amount=10**6), quiet=None)
IN_FIVE_DAYS = (NOW + timedelta(days=5)).date()


def tick(sessions: Sessions) -> SentNotices:
    return send_notices(sessions, policy=POLICY, now=NOW)


def told(sessions: Sessions) -> Sequence[str]:
    with sessions() as session:
        return session.scalars(
            text("SELECT s.code FROM notices n JOIN subscriptions s ON s.id = n.subscription_id ORDER BY n.id")
        ).all()


def subscribe(book: Book, count: int, **of: str) -> list[str]:
    return [book.subscribe(now=NOW, starts_on=IN_FIVE_DAYS, **of).code for _ in range(count)]


@pytest.fixture(autouse=True)
def _announced(book: Book) -> None:
    book.plan(now=NOW, notices="renewal 7")


def test_notices_of_many_renewals_are_made_with_a_few_statements(engine: Engine, book: Book, sessions: Sessions):
    codes, statements = subscribe(book, 120), []
    with engine.connect():
        event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
        assert tick(sessions) == SentNotices(looked_at=120, sent=120)
    assert sorted(told(sessions)) == codes
    assert len(statements) < 40
    assert tick(sessions) == SentNotices(looked_at=120, sent=0)


def test_walk_that_has_told_much_ends_for_this_tick_and_goes_on_with_the_next(
    book: Book, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(walking, "CHUNK", 2)
    monkeypatch.setattr(walking, "TOLD", 3)
    codes = subscribe(book, 5)
    assert [tick(sessions).sent for _ in range(3)] == [4, 1, 0]
    assert sorted(told(sessions)) == codes


def test_walk_goes_through_what_was_told_without_handing_it_on(
    book: Book, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(walking, "CHUNK", 2)
    subscribe(book, 5)
    tick(sessions)
    late = subscribe(book, 1)
    assert tick(sessions) == SentNotices(looked_at=6, sent=1)
    assert told(sessions)[-1:] == late


def test_subscription_of_which_no_notice_can_be_made_keeps_it_from_no_other(
    book: Book, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
):
    book.plan("other", now=NOW, notices="renewal 7")
    (broken,), others = subscribe(book, 1, plan="other"), subscribe(book, 2)
    with sessions.begin() as session:
        session.execute(text("UPDATE plans SET cadence = 'full moon' WHERE code = 'other'"))
    with capture_logs() as logged:
        monkeypatch.setattr(walking, "log", structlog.get_logger())
        assert tick(sessions).sent == 2
    assert told(sessions) == others
    assert [(line["event"], line["subscription"]) for line in logged if line["log_level"] == "error"] == [
        ("no notice can be made", broken)
    ]
