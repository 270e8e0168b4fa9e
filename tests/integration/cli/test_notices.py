"""`again notices list`: what was told, what is kept, and what comes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from schedules.notices import NoticeKind
from tests.integration.cli.conftest import Again
from tests.support.book import Book
from worker.database.engine import Sessions
from worker.ledger import notices
from worker.ledger.notices import NewNotice

CONTENT = {"texts": {"ko": {"title": "환불", "body": "환불되었습니다.\n둘째 줄"}, "en": {"title": "x", "body": "y"}}}


def test_sent_kept_and_coming_notices_are_listed(again: Again, book: Book, sessions: Sessions):
    now = datetime.now(UTC)
    book.plan(notices="renewal 3, refunded", now=now)
    first, second = (book.subscribe(now=now, starts_on=(now + timedelta(days=5)).date()) for _ in range(2))
    with sessions.begin() as session:
        notices.add(
            session,
            [
                NewNotice(
                    subscription_id=first.id,
                    kind=NoticeKind.REFUNDED,
                    about=now,
                    source=source,
                    due_at=now,
                    content=content,
                )
                for source, content in (("evt_1", CONTENT), ("evt_2", None))
            ],
            now=now,
        )
    listed = again("notices", "list", "--json").document
    assert [(each["kind"], each["sent_at"] is not None, each["content"] is not None) for each in listed] == [
        ("refunded", True, True),
        ("refunded", False, False),
        ("renewal", False, True),
        ("renewal", False, True),
    ]
    assert {each["subscription"] for each in listed[2:]} == {first.code, second.code}
    assert {each["content"]["amount"] for each in listed[2:]} == {9900}
    said = again("notices", "list", "--subscription", first.code).said
    assert all(word in said for word in ("sent", "kept", "to come", "환불되었습니다.", "9,900원"))
    assert "둘째 줄" not in said
    assert second.code not in said
    assert again("notices", "list", "--subscription", second.code, "--days", 0, "--json").document == []


def test_notices_of_an_unknown_subscription_are_refused(refused: Again):
    said = refused("notices", "list", "--subscription", "0000000000000").said
    assert "again subscription list" in said


def test_no_notice_says_how_there_would_be_one(again: Again):
    assert "again plan set CODE --notices" in again("notices", "list").said
