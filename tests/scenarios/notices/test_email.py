"""Notices by e-mail through the real tasks: to those who have given an address, whatever the server does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from tests.scenarios.conftest import World
from tests.support.mailroom import Mailroom
from tests.support.notices import notices, tell
from worker import process, tasks
from worker.sandbox.rules.behaviours import pay
from worker.subscriptions.emails import erase_address, give_address


@pytest.fixture
def mailroom(world: World) -> Iterator[Mailroom]:
    mailroom = Mailroom()
    world.changed(smtp_url=SecretStr(f"smtp://127.0.0.1:{mailroom.port}"), smtp_from="billing@shop.example")
    yield mailroom
    mailroom.stop()


def deliver(world: World) -> None:
    tell(world)
    process.current().wait_for_deliveries()


def test_notice_goes_once_to_who_has_an_address_until_it_is_erased(world: World, mailroom: Mailroom):
    world.plan(notices="paid")
    tasks.relay()
    code, _without = world.subscribe(pay()), world.subscribe(pay())
    give_address(world.runtime.sessions, code, "customer@mail.example", now=world.now)
    world.tick()
    for _ in range(3):
        deliver(world)
    (told, _) = world.sql(
        "SELECT id, data FROM events WHERE type = 'notice.due' ORDER BY data #>> '{subscription,code}'"
    )
    assert mailroom.mails == [("customer@mail.example", f"<{told.id}@shop.example>")]
    erase_address(world.runtime.sessions, code)
    world.live(days=35)
    deliver(world)
    assert len(notices(world)) == 4
    assert len(mailroom.mails) == 1
    everything = str(world.sql("SELECT e.data, (SELECT array_agg(a::text) FROM audit a) FROM events e"))
    assert "mail.example" not in everything
    world.assert_books_agree()


def test_server_that_hangs_delays_e_mails_alone(world: World, mailroom: Mailroom):
    world.plan(notices="paid")
    mailroom.hangs = True
    tasks.relay()
    code = world.subscribe(pay())
    give_address(world.runtime.sessions, code, "customer@mail.example", now=world.now)
    world.tick()
    tell(world)
    later = world.subscribe(pay())
    world.tick()
    assert [each.status for each in world.charges(later)] == ["paid"]
    mailroom.hangs = False
    deliver(world)
    world.wait(minutes=10)
    deliver(world)
    assert [to for to, _ in mailroom.mails] == ["customer@mail.example"]
    world.assert_books_agree()
