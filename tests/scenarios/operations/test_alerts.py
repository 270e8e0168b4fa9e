"""What operators are told of troubles, through the real tasks: once, when there is more, and when it is over."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from schedules.beat import beat_table
from tests.scenarios.conftest import World
from tests.support.mailroom import Mailroom
from tests.support.sandbox import Api, RunningSandbox
from tests.support.webhook_receiver import LOCAL, Receiver, receiving
from worker import process, tasks
from worker.app import app
from worker.charging import kill_switch
from worker.database import heartbeats
from worker.domain.merchant_uid import derive
from worker.events import destinations
from worker.sandbox.rules.behaviours import pay


@pytest.fixture
def chat(world: World) -> Iterator[Receiver]:
    """A chat that is told of alerts."""
    with receiving() as receiver:
        destinations.add_chat(world.runtime.sessions, receiver.url, name="chat", types=[], allowed=LOCAL, now=world.now)
        world.changed(webhook_allowed_networks=LOCAL)
        yield receiver


@pytest.fixture
def mailroom(world: World) -> Iterator[Mailroom]:
    """An SMTP server that operators are told through."""
    mailroom = Mailroom()
    world.changed(
        smtp_url=SecretStr(f"smtp://127.0.0.1:{mailroom.port}"),
        smtp_from="billing@shop.example",
        alerts_to="ops@shop.example",
    )
    yield mailroom
    mailroom.stop()


def stop(world: World, scope: str) -> None:
    kill_switch.set_switch(world.runtime.sessions, scope, reason="drill", stopped_by="test", now=world.now)


def start(world: World, scope: str) -> None:
    kill_switch.start_charging(world.runtime.sessions, scope, now=world.now)


def pass_minutes(world: World, minutes: int, *, without: str = "") -> None:
    """Let minutes pass with every task of beat's table but one, beat's own signs of life included."""
    for _ in range(minutes):
        world.wait(minutes=1)
        with world.runtime.sessions.begin() as session:
            heartbeats.beat(session, heartbeats.BEAT, now=world.now)
        for entry in beat_table():
            if entry.task != without:
                app.tasks[entry.task]()
        process.current().wait_for_deliveries()
    tasks.relay()
    process.current().wait_for_deliveries()


def texts(chat: Receiver) -> list[str]:
    return [json.loads(each.body)["text"] for each in chat.received]


def test_stopped_channel_is_told_once_and_so_is_its_end(world: World, chat: Receiver):
    world.subscribe(pay())
    stop(world, "payco")
    pass_minutes(world, 30)
    (told,) = texts(chat)
    assert "*stops*" in told
    assert "payco since" in told
    assert "drill" in told
    assert "`again start payco`" in told
    start(world, "payco")
    pass_minutes(world, 9)
    assert len(texts(chat)) == 1  # it may come back
    pass_minutes(world, 3)
    assert "해결되었습니다 / over: *stops*" in texts(chat)[1]
    pass_minutes(world, 30)
    assert len(texts(chat)) == 2
    world.assert_books_agree()


def test_trouble_that_comes_and_goes_is_no_flood(world: World, chat: Receiver):
    for _ in range(8):
        stop(world, "payco")
        pass_minutes(world, 2)
        start(world, "payco")
        pass_minutes(world, 2)
    assert len(texts(chat)) == 1
    world.assert_books_agree()


def test_second_channel_that_stops_is_told_beside_the_first(world: World, chat: Receiver):
    stop(world, "payco")
    pass_minutes(world, 2)
    stop(world, "kakaopay")
    pass_minutes(world, 3)
    assert len(texts(chat)) == 1  # ten minutes have not passed
    pass_minutes(world, 10)
    assert len(texts(chat)) == 2
    assert "kakaopay since" in texts(chat)[1]
    world.assert_books_agree()


def test_discrepancy_that_a_sweep_finds_is_told(world: World, sandbox: RunningSandbox, chat: Receiver):
    code = world.subscribe(pay())
    start = world.subscription(code).next_charge_at
    assert start is not None
    with Api(sandbox.base_url) as api:
        api.paid(derive("again", code, start, 1), "key-1", amount=9000)
    world.sweep()
    pass_minutes(world, 1)
    assert world.discrepancies() == [("other_amount", "open")]
    (told,) = texts(chat)
    assert "*discrepancies*" in told
    assert "`again review list`" in told
    assert world.portone.report().charges == 1


def test_chat_that_is_down_is_told_when_it_is_back_and_charging_goes_on(world: World, chat: Receiver):
    chat.answer = lambda _: 500
    world.subscribe(pay())
    stop(world, "payco")
    pass_minutes(world, 5)
    assert world.statuses() == {"paid": 1}
    chat.answer = lambda _: 200
    world.wait(minutes=30)
    pass_minutes(world, 1)
    assert len({each.body for each in chat.received if "*stops*" in json.loads(each.body)["text"]}) == 1
    world.assert_books_agree()


def come_back(world: World, **down: float) -> None:
    """Let every worker be down, and come back with the watch as its first task, before any other has run."""
    pass_minutes(world, 5)
    world.subscribe(pay())
    world.wait(**down)
    tasks.watch()


def test_workers_that_come_back_tell_of_no_trouble_that_passes(world: World, chat: Receiver):
    come_back(world, hours=12)
    pass_minutes(world, 30)
    assert texts(chat) == []
    assert world.statuses() == {"paid": 1}
    world.assert_books_agree()


def test_trouble_that_stays_after_the_workers_came_back_is_told(world: World, chat: Receiver):
    come_back(world, hours=12)
    pass_minutes(world, 8, without="again.reconcile")
    assert texts(chat) == []
    pass_minutes(world, 4, without="again.reconcile")
    (told,) = texts(chat)
    assert "late: again.reconcile;" in told
    world.assert_books_agree()


def test_what_an_operator_has_to_do_is_told_at_once_after_a_return(world: World, chat: Receiver):
    come_back(world, hours=12)
    stop(world, "payco")
    pass_minutes(world, 2)
    (told,) = texts(chat)
    assert "*stops*" in told
    world.assert_books_agree()


def test_operators_are_told_by_mail_where_the_settings_name_an_address(world: World, mailroom: Mailroom):
    world.subscribe(pay())
    pass_minutes(world, 1)
    stop(world, "payco")
    pass_minutes(world, 3)
    start(world, "payco")
    pass_minutes(world, 13)
    assert mailroom.subjects == [
        "[Again] 문제가 생겼습니다 / trouble: stops",
        "[Again] 해결되었습니다 / over: stops",
    ]
    assert {to for to, _ in mailroom.mails} == {"ops@shop.example"}
    world.assert_books_agree()
