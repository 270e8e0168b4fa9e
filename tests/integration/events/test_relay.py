"""The relay: everything arrives, in the order of its subscription, and no destination delays another."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from contextlib import suppress

from tests.integration.events.conftest import Stage
from tests.support.webhook_receiver import Received, receiving
from worker.domain.events.retries import DOWN_AFTER, GIVEN_UP_AFTER, LONGEST_PAUSE
from worker.domain.events.types import EventType
from worker.events import destinations
from worker.events.drain import IN_FLIGHT, LEASE


def test_event_is_delivered_and_deleted_from_the_queue(stage: Stage):
    with receiving() as shop:
        stage.webhook(shop.url)
        positions = stage.write(1, 2, None)
        assert stage.queued() == positions
        stage.run()
    assert sorted(shop.positions) == positions
    assert stage.queued() == []
    assert stage.destination().delivered_at == stage.now


def test_only_wanted_types_are_queued_and_nothing_for_a_disabled_destination(stage: Stage):
    stage.webhook("http://127.0.0.1:9/", "paid", types=["charge.paid"])
    stage.webhook("http://127.0.0.1:9/", "off")
    destinations.disable(stage.sessions, "off", reason="a test", now=stage.now)
    (paid,) = stage.write(1)
    stage.write(1, kind=EventType.CHARGE_DECLINED)
    assert stage.queued() == [paid]


def test_two_relays_deliver_each_event_once_in_the_order_of_its_subscription(stage: Stage):
    lock, under_way = threading.Lock(), set()
    overlapped = []

    def one_at_a_time(received: Received) -> int:
        subscription = received.event["data"]["subscription"]
        with lock:
            overlapped.append(subscription) if subscription in under_way else under_way.add(subscription)
        pause.wait(0.002)
        with lock:
            under_way.discard(subscription)
        return 200

    pause = threading.Event()
    with receiving(one_at_a_time) as shop:
        stage.webhook(shop.url)
        positions = [position for _ in range(6) for position in stage.write(*range(1, 51))]
        relays = [threading.Thread(target=stage.run, args=(3,)) for _ in range(2)]
        for relay in relays:
            relay.start()
        for relay in relays:
            relay.join()
        stage.run()
    assert sorted(shop.positions) == positions
    arrived = defaultdict(list)
    for received in shop.received:
        arrived[received.event["data"]["subscription"]].append(received.event["position"])
    assert all(each == sorted(each) and len(each) == 6 for each in arrived.values())
    assert overlapped == []
    assert stage.queued() == []


def test_what_follows_a_refused_event_waits_for_it_and_other_subscriptions_do_not(stage: Stage):
    refused: list[int] = []

    def refuses(received: Received) -> int:
        return 500 if received.event["position"] in refused else 200

    with receiving(refuses) as shop:
        stage.webhook(shop.url)
        first, other, second = stage.write(1, 2, 1)
        refused.append(first)
        stage.run()
        assert stage.queued() == [first, second]
        stage.run(times=3)
        assert shop.positions.count(first) == 1, "it waits before it is sent again"
        refused.clear()
        stage.wait(seconds=5)
        stage.run()
    assert [position for position in shop.positions if position != other] == [first, first, second]
    assert stage.queued() == []


def test_event_whose_relay_died_before_it_was_deleted_comes_again_with_its_id(stage: Stage):
    async def die_after_sending() -> None:
        relay = stage.relay()
        await relay.run()
        ((_, drain),) = relay._drains.values()
        await asyncio.to_thread(arrived.wait, 30)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await drain
        await relay.close()

    arrived, answered = threading.Event(), threading.Event()

    def tells(_: Received) -> int:
        arrived.set()
        answered.wait(0.2)
        return 200

    with receiving(tells) as shop:
        stage.webhook(shop.url)
        first, second = stage.write(1, 1)
        asyncio.run(die_after_sending())
        stage.run()
        assert shop.positions == [first], "its lease still runs"
        stage.wait(seconds=LEASE.total_seconds())
        stage.run()
    assert shop.positions == [first, first, second]
    assert shop.ids[0] == shop.ids[1]
    assert stage.queued() == []


def test_endpoint_that_hangs_delays_only_itself(stage: Stage):
    async def story() -> None:
        relay = stage.relay()
        for _ in range(3):
            stage.write(*range(1, IN_FLIGHT + 10))
            await asyncio.wait_for(relay.run(), 30)
            (_, well) = relay._drains[ids["well"]]
            await asyncio.wait_for(well, 60)
        hung.closing.set()
        await relay.close()

    with receiving() as healthy, receiving() as hung:
        hung.answer = hung.hang
        stage.webhook(hung.url, "hangs")
        stage.webhook(healthy.url, "well")
        ids = {row.name: row.id for row in stage.sql("SELECT name, id FROM destinations")}
        asyncio.run(story())
    assert len(healthy.received) == 3 * (IN_FLIGHT + 9)
    assert len(set(healthy.ids)) <= len(healthy.received)


def test_destination_that_is_down_is_tried_with_one_event_at_a_time(stage: Stage):
    with receiving(lambda _: 503) as shop:
        stage.webhook(shop.url)
        positions = stage.write(*range(1, 101))
        stage.run()
        sent = len(shop.received)
        assert sent >= DOWN_AFTER
        stage.run(times=3)
        assert len(shop.received) == sent, "it is paused"
        stage.wait(seconds=LONGEST_PAUSE.total_seconds())
        stage.run()
        assert len(shop.received) == sent + 1
        shop.answer = lambda _: 200
        stage.wait(seconds=LONGEST_PAUSE.total_seconds())
        stage.run()
        stage.wait(seconds=LONGEST_PAUSE.total_seconds())
        stage.run()
    assert stage.queued() == []
    assert set(shop.positions) == set(positions)
    assert (stage.destination().failures, stage.destination().last_error) == (0, None)


def test_destination_that_takes_nothing_for_three_days_is_disabled(stage: Stage):
    with receiving(lambda _: 500) as shop:
        stage.webhook(shop.url)
        positions = stage.write(*range(1, 11))
        stage.run()
        started = stage.now
        while stage.now - started < GIVEN_UP_AFTER:
            assert stage.destination().status == "active"
            stage.wait(hours=1)
            stage.run()
        assert stage.destination().status == "disabled"
        assert stage.destination().status_reason == ("it has taken nothing for three days; the last time: answered 500")
        assert stage.queued() == positions, "nothing is lost"
        assert stage.write(1)[0] not in stage.queued()
        shop.answer = lambda _: 200
        shop.received.clear()
        stage.run()
        assert shop.received == []
        destinations.enable(stage.sessions, "shop", now=stage.now)
        stage.run()
    assert sorted(shop.positions) == positions
    assert [
        row.to_status for row in stage.sql("SELECT to_status FROM audit WHERE entity = 'destination' ORDER BY id")
    ] == [
        "added",
        "disabled",
        "enabled",
    ]


def test_endpoint_that_is_gone_is_disabled_at_once(stage: Stage):
    with receiving(lambda _: 410) as shop:
        stage.webhook(shop.url)
        (position,) = stage.write(1)
        stage.run()
    assert (stage.destination().status, stage.queued()) == ("disabled", [position])
    assert "410 Gone" in stage.destination().status_reason


def test_event_that_is_kept_no_longer_delays_nothing(stage: Stage):
    with receiving() as shop:
        stage.webhook(shop.url)
        lost, kept = stage.write(1, 1)
        stage.sql("DELETE FROM events WHERE position = :lost", lost=lost)
        stage.run()
    assert shop.positions == [kept]
    assert stage.queued() == []


def test_relay_that_is_closed_returns_what_it_has_not_sent(stage: Stage):
    async def story() -> None:
        relay = stage.relay()
        await relay.run()
        await asyncio.to_thread(full.wait, 30)
        hung.closing.set()
        await relay.close()

    full = threading.Event()

    def hangs(received: Received) -> int:
        if len(hung.received) == IN_FLIGHT:
            full.set()
        return hung.hang(received)

    with receiving() as hung:
        hung.answer = hangs
        stage.webhook(hung.url)
        positions = stage.write(*range(1, 3 * IN_FLIGHT))
        asyncio.run(story())
        left = stage.queued()
        assert len(left) == len(positions) - len(hung.received)
        hung.answer = lambda _: 200
        stage.run()
    assert sorted(hung.positions) == positions
    assert stage.queued() == []


def test_secret_that_is_rotated_signs_beside_the_new_one_until_that_is_finished(stage: Stage):
    with receiving() as shop:
        stage.webhook(shop.url)
        stage.write(1)
        stage.run()
        destinations.rotate(stage.sessions, "shop", secret=None, now=stage.now)
        stage.write(1)
        stage.run()
        destinations.finish_rotation(stage.sessions, "shop", now=stage.now)
        stage.write(1)
        stage.run()
    assert [len(each.headers["webhook-signature"].split(" ")) for each in shop.received] == [1, 2, 1]
