"""The relay of one worker process, and the network between it and the host, in steps."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from tests.simulation.engine.faults import ANSWER_UNDER_WAY, ANSWERED, NOT_SENT, SENT, Kind
from tests.simulation.engine.wire import TRAVEL_SECONDS
from worker.delivery.webhook_sender import CALL_SECONDS
from worker.domain.events.destinations import Delivery, DestinationKind, Endpoint, Message, NotDelivered
from worker.events.publishing import publish
from worker.events.relay import Relay

if TYPE_CHECKING:
    from tests.simulation.engine.worker_process import WorkerProcess

NAME = "webhook"
RELAY = "relay"
"""The tick. Worlds that no host listens in have none."""


class Relaying:
    """What a worker does with events: each tick publishes, and starts what is due; deliveries go on by themselves."""

    def __init__(self, worker: WorkerProcess) -> None:
        self._worker = worker
        self._relay: Relay | None = None

    @property
    def busy(self) -> bool:
        return self._relay is not None and bool(self._relay._drains)

    async def tick(self) -> None:
        worker = self._worker
        await asyncio.to_thread(publish, worker.world.sessions)
        if self._relay is None:
            self._relay = Relay(
                worker.world.sessions,
                {DestinationKind.WEBHOOK: HostWire(worker)},
                clock=worker.clock,
                stopping=lambda: False,
                monotonic=worker.loop.time,
            )
        await self._relay.run()


class HostWire:
    """One worker's connections to the host."""

    def __init__(self, worker: WorkerProcess) -> None:
        self._worker = worker

    async def send(self, endpoint: Endpoint, message: Message, *, now: datetime) -> Delivery:
        worker = self._worker
        fault = await worker.point(f"{NAME}: {NOT_SENT}")
        if fault is not None and fault.kind is Kind.REFUSE:
            return NotDelivered("no connection could be made")
        home: asyncio.Future[Delivery] = worker.loop.create_future()
        if fault is None or fault.kind is not Kind.LOSE_REQUEST:
            worker.world.after(TRAVEL_SECONDS, lambda: self._arrive(message, home))
        await worker.point(f"{NAME}: {SENT}")
        try:
            async with asyncio.timeout(CALL_SECONDS):
                delivery = await home
        except TimeoutError:
            return NotDelivered(f"no answer within {CALL_SECONDS:g} s")
        await worker.point(f"{NAME}: {ANSWERED}")
        return delivery

    def _arrive(self, message: Message, home: asyncio.Future[Delivery]) -> None:
        """Let the host receive a message. It does not depend on the relay being alive."""
        world, worker = self._worker.world, self._worker
        assert world.host is not None, "a host listens"
        answer = world.host.receive(message)
        worker.point_on_the_way(f"{NAME}: {ANSWER_UNDER_WAY}")
        if answer is not None:
            world.after(TRAVEL_SECONDS, lambda: worker.loop.call_soon(_return, home, answer))

    async def aclose(self) -> None:
        """Nothing is open."""


def _return(home: asyncio.Future[Delivery], answer: Delivery) -> None:
    if not home.done():
        home.set_result(answer)
