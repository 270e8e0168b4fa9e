"""The test clock is advanced: what falls due on the way is done, each at its time, and money moves once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from schedules.open_hours import OpenHours
from tests.support.book import Book
from tests.support.events import assert_events_tell_what_happened
from tests.support.sandbox import RunningSandbox, running_sandbox, wait_until
from worker import ticks
from worker.config.settings import Settings
from worker.database.clock import DatabaseClock
from worker.demo.comparison import compare
from worker.domain.channel_rules import ChannelRules
from worker.domain.errors import Refused
from worker.ledger.channel_rules import set_rules
from worker.playback.advance import Advanced, Player, player_of
from worker.playback.times import after_span
from worker.playback.turning import clock_now, turn_clock
from worker.runtime import Runtime
from worker.sandbox.http.client import SandboxAdmin
from worker.sandbox.rules.behaviours import Behaviour, Reply, decline, pay, troubled

POOR = decline("LACK_BALANCE", "잔액이 부족합니다")
SEOUL = ZoneInfo("Asia/Seoul")


@dataclass
class Table:
    """A database and a sandbox whose clock is turned, and the player that turns it."""

    player: Player
    portone: SandboxAdmin
    book: Book

    @property
    def runtime(self) -> Runtime:
        return self.player.process.runtime

    def subscribe(self, *story: Behaviour, plan: str = "monthly") -> str:
        now = clock_now(self.runtime).now
        subscribed = self.book.subscribe(plan=plan, now=now)
        self.portone.create_key(subscribed.customer_uid, *story)
        return subscribed.code

    def advance(self, span: str) -> Advanced:
        return self.player.advance(after_span(clock_now(self.runtime).now, span))

    def charges(self, code: str) -> list[tuple[str, int]]:
        """Return the charges of a subscription, the first one first: status, and days until they were settled."""
        query = text("""
            SELECT c.status, c.status_at, c.period_start FROM charges c JOIN subscriptions s ON s.id = c.subscription_id
            WHERE s.code = :code ORDER BY c.period_start
        """)
        with self.runtime.sessions() as session:
            rows = session.execute(query, {"code": code}).all()
        return [(row.status, (_day(row.status_at) - _day(row.period_start)).days) for row in rows]

    def assert_records_agree(self) -> None:
        with self.runtime.sessions() as session:
            comparison = compare(session, self.portone.charges())
        assert comparison.agrees
        assert not comparison.charged_twice
        assert_events_tell_what_happened(self.runtime.sessions)


def _day(instant: datetime) -> datetime:
    return instant.astimezone(SEOUL).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[RunningSandbox]:
    with running_sandbox(tmp_path / "ledger.sqlite") as running:
        yield running


@pytest.fixture
def settings(sandbox: RunningSandbox) -> Settings:
    return Settings.from_env(
        {
            "AGAIN_SANDBOX_URL": sandbox.base_url,
            "AGAIN_CONNECT_TIMEOUT_SECONDS": "1",
            "AGAIN_READ_TIMEOUT_SECONDS": "1",
            "AGAIN_WRITE_BACK_SECONDS": "1",
        }
    )


@pytest.fixture
def table(database_url: str, settings: Settings, sandbox: RunningSandbox) -> Iterator[Table]:
    clock = DatabaseClock(follows_turns=True)
    runtime = Runtime.create(settings, database_url, actor="test clock", clock=clock)
    runtime.sync_clock()
    with runtime.sessions.begin() as session:  # the template of the test's database may be older than a silence
        session.execute(text("UPDATE database_identity SET seen_at = clock_timestamp()"))
    player = player_of(runtime, sandbox.admin, lambda _at, _waits: None)
    noon = clock().astimezone(SEOUL).replace(hour=12) + timedelta(days=1)  # no story begins at the end of a day
    turn_clock(runtime, sandbox.admin, noon - clock(), tell=lambda _: None)
    book = Book(runtime.sessions)
    book.plan(now=clock(), charge_hour="0", dunning="1,3,5")
    yield Table(player, sandbox.admin, book)
    player.process.close()
    runtime.close()


def test_second_and_third_month_are_charged_once_each_on_their_days(table: Table):
    code = table.subscribe(pay())
    advanced = table.advance("2m")
    assert table.charges(code) == [("paid", 0)] * 3
    assert advanced.events["charge.paid"] == 3
    assert advanced.paid == table.portone.report().charged_krw
    table.assert_records_agree()


def test_decline_is_tried_again_on_the_days_of_its_calendar(table: Table):
    recovered, given_up = table.subscribe(POOR, POOR, pay()), table.subscribe(POOR)
    table.advance("27d")
    assert table.charges(recovered) == [("paid", 3)]
    assert table.charges(given_up) == [("uncollectible", 5)]
    table.assert_records_agree()


@pytest.mark.parametrize("charged", [True, False])
def test_lost_answer_is_looked_up_before_time_goes_on(charged: bool, table: Table):
    code = table.subscribe(troubled(Reply.DROP, charged=charged), pay())
    table.advance("1d")
    assert table.charges(code) == [("paid", 0)]
    table.assert_records_agree()


def test_call_that_hangs_is_waited_for_and_charges_nothing_twice(table: Table):
    slow = replace(troubled(Reply.HANG, charged=True), wait_seconds=3.0)  # longer than the worker waits for it
    code = table.subscribe(slow, pay())
    table.advance("1d")
    assert table.charges(code) == [("paid", 0)]
    table.assert_records_agree()


def test_clock_is_not_turned_while_the_sandbox_carries_out_a_call(table: Table):
    code = table.subscribe(replace(pay(), wait_seconds=1.0))
    process, portone = table.player.process, table.portone
    ticks.open_charges(process)
    with ThreadPoolExecutor(1) as threads:
        charging = threads.submit(process.charge)
        wait_until(lambda: not portone.turn_clock(timedelta(0)), "no call is carried out")
        turn_clock(table.runtime, portone, timedelta(days=40), tell=lambda _: None)
        assert portone.report().charges == 1
        charging.result()
    assert clock_now(table.runtime).ahead == timedelta(days=40)
    table.advance("1d")
    assert {status for status, _ in table.charges(code)} == {"paid"}
    table.assert_records_agree()


def test_hold_after_a_silence_ends_before_time_goes_on(table: Table):
    """A laptop that slept overnight: what was paid is compared first, as always."""
    code = table.subscribe(pay())
    with table.runtime.sessions.begin() as session:
        session.execute(text("UPDATE database_identity SET seen_at = seen_at - interval '9 hours'"))
    table.advance("1d")
    assert table.charges(code) == [("paid", 0)]
    table.assert_records_agree()


def test_clock_that_is_set_charges_what_was_due_late(table: Table):
    code = table.subscribe(pay())
    table.advance("1h")
    turn_clock(table.runtime, table.portone, timedelta(days=70), tell=lambda _: None)
    assert len(table.charges(code)) == 1
    table.advance("1h")
    assert [status for status, _ in table.charges(code)] == ["paid"] * 3
    table.assert_records_agree()


def test_nothing_that_is_stopped_is_charged_however_long(table: Table):
    code = table.subscribe(pay())
    with table.runtime.sessions.begin() as session:
        session.execute(text("INSERT INTO stops VALUES ('all', 'trying', 'me', now())"))
    assert "charge.paid" not in table.advance("1m").events
    assert {status for status, _ in table.charges(code)} == {"due"}
    assert table.portone.report().charges == 0


def test_sandbox_that_is_gone_leaves_the_clock_as_it_was(table: Table, sandbox: RunningSandbox):
    table.subscribe(pay())
    before = clock_now(table.runtime).ahead
    sandbox.stop()
    with pytest.raises(Refused, match="cannot be turned along"):
        turn_clock(table.runtime, table.portone, timedelta(days=3), tell=lambda _: None)
    assert clock_now(table.runtime).ahead == before


def test_sandbox_keeps_its_turned_clock_over_a_restart(table: Table, sandbox: RunningSandbox):
    turn_clock(table.runtime, table.portone, timedelta(days=31), tell=lambda _: None)
    sandbox.stop()
    sandbox.start()
    code = table.subscribe(pay())
    table.advance("1h")
    assert table.charges(code) == [("paid", 0)]
    paid_at = datetime.fromtimestamp(sandbox.admin.payments()[0]["paid_at"], SEOUL)
    assert abs(paid_at - clock_now(table.runtime).now) < timedelta(hours=2)


def test_time_that_has_passed_is_refused(table: Table):
    with pytest.raises(Refused, match="it advances to a later time than that"):
        table.player.advance(clock_now(table.runtime).now - timedelta(seconds=1))


def test_charge_that_waits_for_its_pg_to_open_is_made_when_it_opens(table: Table):
    opens = (clock_now(table.runtime).now.astimezone(SEOUL) + timedelta(hours=2)).replace(minute=0, second=0)
    hours = OpenHours(maintenance=f"{opens - timedelta(hours=3):%H}:00-{opens:%H}:00")
    with table.runtime.sessions.begin() as session:
        set_rules(session, "kakaopay", ChannelRules(open_hours=hours), reason="test", now=clock_now(table.runtime).now)
    code = table.subscribe(pay())
    table.advance("5h")
    assert table.charges(code) == [("paid", 0)]
    with table.runtime.sessions() as session:
        (paid_at,) = session.scalars(text("SELECT paid_at FROM charges")).all()
    assert paid_at.astimezone(SEOUL).hour == opens.hour
    table.assert_records_agree()
