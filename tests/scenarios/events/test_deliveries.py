"""What a customer's endpoint learns, through the real tasks."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.scenarios.conftest import World
from tests.support.webhook_receiver import LOCAL, Receiver, receiving
from worker import process, tasks
from worker.domain.events.facts import NotInCatalogue
from worker.events import destinations
from worker.events.publishing import publish
from worker.sandbox.rules.behaviours import decline, pay, slow

UNKNOWN_FACT = text("""
    INSERT INTO outbox (type, at, key, data) VALUES ('invariant.violated', now(), 'a key', '{"rows": "many"}')
""")


@pytest.fixture
def shop(world: World):
    with receiving() as receiver:
        destinations.add_webhook(
            world.runtime.sessions,
            receiver.url,
            name="shop",
            types=[],
            secret=None,
            allowed=LOCAL,
            now=world.now,
        )
        world.changed(webhook_allowed_networks=LOCAL)
        yield receiver


def relay() -> None:
    tasks.relay()
    process.current().wait_for_deliveries()


def types(shop: Receiver) -> list[str]:
    return [each.event["type"] for each in shop.received]


def test_endpoint_learns_a_decline_and_the_payment_after_it_in_order(world: World, shop: Receiver):
    code = world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다"), pay())
    world.tick()
    relay()
    world.live(days=2)
    relay()
    told = [each for each in types(shop) if each.startswith(("charge.", "subscription.past", "subscription.rec"))]
    assert sorted(told[:2]) == ["charge.declined", "subscription.past_due"]
    assert sorted(told[2:]) == ["charge.paid", "subscription.recovered"]
    assert shop.positions == sorted(shop.positions)
    assert {each.event["data"]["subscription"]["code"] for each in shop.received} == {code}
    assert len(set(shop.ids)) == len(shop.ids)
    world.assert_books_agree()


def test_charging_goes_on_while_an_endpoint_hangs(world: World, shop: Receiver):
    shop.answer = shop.hang
    for _ in range(3):
        world.subscribe(pay())
    tasks.relay()
    world.tick()
    assert world.statuses() == {"paid": 3}
    tasks.relay()
    shop.closing.set()
    process.current().wait_for_deliveries()
    relay()
    assert types(shop).count("charge.paid") == 3
    world.assert_books_agree()


def test_events_are_relayed_while_the_pump_run_goes_on(world: World, shop: Receiver, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(process, "RELAY_SECONDS", 0.05)
    world.changed(read_timeout_seconds=30)
    code = world.subscribe(pay())
    world.subscribe(slow(6))
    tasks.open_charges()
    tasks.charge()  # waits some seconds for the slow one; nothing but the run has relayed anything
    paid = [each.event["data"]["subscription"]["code"] for each in shop.received if "charge.paid" in each.body]
    assert code in paid
    world.restart_worker()
    world.tick()
    world.assert_books_agree()


def test_worker_that_is_restarted_delivers_what_it_had_not(world: World, shop: Receiver):
    shop.answer = lambda _: 503
    code = world.subscribe(pay())
    world.tick()
    relay()
    world.restart_worker()
    shop.answer = lambda _: 200
    world.wait(minutes=10)
    for _ in range(5):
        relay()
    assert "charge.paid" in types(shop)
    assert world.sql("SELECT count(*) FROM deliveries")[0][0] == 0
    assert world.charges(code)[0].status == "paid"
    world.assert_books_agree()


def test_fact_that_has_no_event_stops_publishing_and_no_delivery(world: World, shop: Receiver):
    world.subscribe(pay())
    publish(world.runtime.sessions)
    with world.runtime.sessions.begin() as session:
        session.execute(UNKNOWN_FACT)
    world.tick()
    with pytest.raises(NotInCatalogue, match="so no events are published"):
        tasks.relay()
    process.current().wait_for_deliveries()
    assert types(shop) == ["subscription.created"]
    assert world.statuses() == {"paid": 1}
    with world.runtime.sessions.begin() as session:
        session.execute(text("DELETE FROM outbox WHERE key = 'a key'"))
    relay()
    relay()
    assert "charge.paid" in types(shop)
    world.assert_books_agree()
