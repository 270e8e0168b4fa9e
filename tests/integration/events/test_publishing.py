"""The outbox on a real PostgreSQL: what is noted is published once, and nothing appears behind a reader."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from tests.integration.conftest import NOW
from tests.support.book import Book
from worker.database.engine import Sessions
from worker.domain.events.facts import NotInCatalogue
from worker.domain.events.types import EventType
from worker.events import publishing
from worker.events.publishing import Published, publish
from worker.events.queries import Event
from worker.events.reading import read_events
from worker.ledger import outbox, stops

NOT_AS_THE_CATALOGUE_SAYS = text("""
    INSERT INTO outbox (type, at, key, data)
    VALUES ('invariant.violated', now(), 'a key', '{"name": "a_name", "rows": "many"}')
""")


def noted(session: Session) -> int:
    return outbox.waiting(session, most=1000)


def events(sessions: Sessions, **wanted: object) -> list[Event]:
    return list(read_events(sessions, **wanted))  # type: ignore[arg-type]


def pause(session: Session, subscription: int) -> None:
    session.execute(
        text("""UPDATE subscriptions SET status = 'paused', paused_next_charge_at = next_charge_at,
                next_charge_at = NULL, status_at = now() WHERE id = :id"""),
        {"id": subscription},
    )


def test_change_that_is_rolled_back_leaves_no_event(book: Book, sessions: Sessions):
    subscribed = book.subscribe(now=NOW)
    publish(sessions)
    with sessions() as session:
        pause(session, subscribed.id)
        assert noted(session) == 1
        session.rollback()
        assert noted(session) == 0


def test_events_of_one_transaction_are_published_in_the_order_of_its_changes(book: Book, sessions: Sessions):
    subscribed = book.subscribe(now=NOW)
    with sessions.begin() as session:
        pause(session, subscribed.id)
        session.execute(
            text("""UPDATE subscriptions SET status = 'canceled', ends_at = now(), paused_next_charge_at = NULL
                    WHERE id = :id"""),
            {"id": subscribed.id},
        )
    assert publish(sessions).events == 3
    assert [event.type for event in events(sessions)] == [
        EventType.SUBSCRIPTION_CREATED,
        EventType.SUBSCRIPTION_PAUSED,
        EventType.SUBSCRIPTION_CANCELED,
    ]


def test_transaction_that_commits_late_is_published_behind_what_was_read(book: Book, sessions: Sessions):
    slow, fast = book.subscribe(now=NOW), book.subscribe(now=NOW)
    publish(sessions)
    with sessions() as late:
        pause(late, slow.id)  # noted first, committed last
        with sessions.begin() as session:
            pause(session, fast.id)
        publish(sessions)
        read = events(sessions)
        late.commit()
    publish(sessions)
    after = events(sessions, after=read[-1].position)
    assert [event.data["subscription"]["code"] for event in after] == [slow.code]


def test_many_publishers_at_once_publish_each_fact_once(
    book: Book, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(publishing, "BATCH", 7)
    codes = [book.subscribe(now=NOW).code for _ in range(100)]
    barrier = Barrier(4)

    def work(_: int) -> int:
        barrier.wait()
        return publish(sessions).events

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    publish(sessions)
    assert [event.data["subscription"]["code"] for event in events(sessions)] == codes


def test_positions_grow_although_the_newest_events_were_lost(book: Book, sessions: Sessions):
    book.subscribe(now=NOW)
    publish(sessions)
    before = events(sessions)[-1].position
    with sessions.begin() as session:
        session.execute(text("DELETE FROM events"))  # as a restored backup has lost them
    book.subscribe(now=NOW)
    publish(sessions)
    assert events(sessions)[-1].position > before


def test_fact_whose_row_is_gone_is_logged_and_stands_before_no_other(
    book: Book, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
):
    lost, kept = book.subscribe(now=NOW), book.subscribe(now=NOW)
    with sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))  # past what keeps every row
        session.execute(text("DELETE FROM subscriptions WHERE id = :id"), {"id": lost.id})
    with capture_logs() as logged:
        monkeypatch.setattr(publishing, "log", structlog.get_logger())
        assert publish(sessions) == Published(events=1, gone=1)
    assert [event.data["subscription"]["code"] for event in events(sessions)] == [kept.code]
    ((event, gone),) = [(line["event"], line["gone"]) for line in logged]
    assert (event, gone) == ("a change of state has no event: its row is gone", ["subscription"])


def test_fact_that_the_catalogue_does_not_know_stops_publishing_and_is_not_lost(book: Book, sessions: Sessions):
    with sessions.begin() as session:
        session.execute(NOT_AS_THE_CATALOGUE_SAYS)
    book.subscribe(now=NOW)
    with pytest.raises(NotInCatalogue, match=r"invariant\.violated in the outbox has a rows that"):
        publish(sessions)
    with sessions.begin() as session:
        assert noted(session) == 2
        session.execute(text("""UPDATE outbox SET data = '{"name": "a_name", "rows": 1}' WHERE type LIKE 'inv%'"""))
    assert publish(sessions).events == 2


def test_published_event_is_never_changed(book: Book, sessions: Sessions):
    book.subscribe(now=NOW)
    publish(sessions)
    with pytest.raises(DBAPIError, match="an event never changes"), sessions.begin() as session:
        session.execute(text("UPDATE events SET data = '{}'"))


def test_reader_gets_the_types_and_the_subscription_that_it_asks_for(book: Book, sessions: Sessions):
    first, second = book.subscribe(now=NOW), book.subscribe(now=NOW)
    with sessions.begin() as session:
        pause(session, second.id)
    publish(sessions)
    paused = events(sessions, types=[EventType.SUBSCRIPTION_PAUSED])
    assert [event.data["subscription"]["code"] for event in paused] == [second.code]
    assert len(events(sessions, subscription=first.code)) == 1
    assert events(sessions, subscription="ZZZZZZZZZZZZZ") == []


def test_stop_and_start_are_told_each_time(sessions: Sessions):
    for number in range(2):
        at = NOW + timedelta(hours=number)
        with sessions.begin() as session:
            stops.stop(session, scope="kakaopay", reason="maintenance", stopped_by="test", now=at)
            stops.stop(session, scope="kakaopay", reason="once more", stopped_by="test", now=at)
        with sessions.begin() as session:
            stops.start(session, scope="kakaopay", reason="over", now=at)
    publish(sessions)
    assert [event.type for event in events(sessions)] == 2 * [EventType.CHANNEL_STOPPED, EventType.CHANNEL_STARTED]
    assert len({event.id for event in events(sessions)}) == 4


def test_stop_of_a_plan_is_told_with_the_code_of_the_plan(book: Book, sessions: Sessions):
    book.plan("gold", now=NOW)
    with sessions.begin() as session:
        stops.stop(session, scope="plan:gold", reason="maintenance", stopped_by="test", now=NOW)
    with sessions.begin() as session:
        stops.start(session, scope="plan:gold", now=NOW)
    publish(sessions)
    told = [(event.type, event.data) for event in events(sessions)]
    assert told == [(EventType.PLAN_STOPPED, {"plan": "gold"}), (EventType.PLAN_STARTED, {"plan": "gold"})]
