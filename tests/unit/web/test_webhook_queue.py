"""The bounded queue of webhook events, which are processed in the background."""

from __future__ import annotations

import asyncio

from worker.checkout import WebhookEvent
from worker.web.webhook_queue import WebhookQueue


def event(number: int) -> WebhookEvent:
    return WebhookEvent(f"imp_{number}", "order", "paid")


def test_queue_takes_equal_events_as_one_and_refuses_beyond_its_room():
    looked_up: list[WebhookEvent] = []

    async def look_up(each: WebhookEvent) -> None:
        looked_up.append(each)

    async def story() -> None:
        queue = WebhookQueue(look_up, capacity=2)
        assert [queue.put(event(number)) for number in (1, 1, 2, 3, 2)] == [True, True, True, False, True]
        await queue.stop()
        assert (queue.accepted, queue.turned_away.total, queue.failed) == (2, 1, 0)

    asyncio.run(story())
    assert looked_up == [event(1), event(2)]


def test_stopping_the_queue_waits_for_its_patience_only():
    started: list[WebhookEvent] = []

    async def look_up(each: WebhookEvent) -> None:
        started.append(each)
        await asyncio.Event().wait()

    async def story() -> None:
        queue = WebhookQueue(look_up, concurrency=2)
        for number in range(3):
            queue.put(event(number))
        async with asyncio.timeout(60):
            await queue.stop(patience=0.05)

    asyncio.run(story())
    assert len(started) == 2


def test_failing_event_does_not_end_the_queue():
    looked_up: list[WebhookEvent] = []

    async def look_up(each: WebhookEvent) -> None:
        looked_up.append(each)
        if each == event(1):
            raise OSError

    async def story() -> WebhookQueue:
        queue = WebhookQueue(look_up, concurrency=1)
        for number in (1, 2):
            queue.put(event(number))
        await queue.stop()
        return queue

    assert asyncio.run(story()).failed == 1
    assert looked_up == [event(1), event(2)]
