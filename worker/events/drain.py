"""Delivering to one destination: its own calls in flight, its own back-off, so that it delays nothing but itself.

Nothing of the database is held while a message is on its way: an event is claimed with a lease and committed, sent, and
deleted in bulk with others. What dies in between leaves the event, which is sent again when the lease ends.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from worker.config import tracing
from worker.database.engine import Sessions
from worker.domain.clock import Clock
from worker.domain.events.destinations import Delivery, NotDelivered, Sender
from worker.events import delivery_queries, delivery_turn
from worker.events.delivery_queries import Claimed
from worker.events.destination_queries import Destination

T = TypeVar("T")

IN_FLIGHT = 128
"""Calls to one destination at once, of one worker process."""

AHEAD = 128
"""Events claimed while every call is in flight, so that the next starts when one ends."""

LEASE = timedelta(seconds=60)
"""How long a claimed event belongs to its relay; after that another one sends it again."""

SEND_WITHIN = 40.0
"""Seconds after its claim in which an event is sent, if at all: a call and its write-back still fit into the lease."""

GATHER_SECONDS = 0.02
"""How long answers wait for others, to be written down together."""

RETRY_SECONDS = 0.5
"""Between two tries while the database is away."""

TRIES = 60
"""Of one write-back; then what was delivered is sent once more."""

log = structlog.get_logger()

InDatabase = Callable[[Callable[[], T]], Awaitable[T]]
"""Runs work with the database off the event loop."""

Answered = tuple[Claimed, Delivery | None]
"""An event and what came of sending it; None for one that is kept no longer."""


class Drain:
    """Delivers what is due to one destination, until nothing is. Belongs to one event loop."""

    def __init__(
        self,
        destination: Destination,
        sender: Sender,
        *,
        sessions: Sessions,
        in_database: InDatabase[Sequence[Claimed]],
        clock: Clock,
        stopping: Callable[[], bool],
        monotonic: Callable[[], float],
    ) -> None:
        self._destination, self._sender, self._sessions = destination, sender, sessions
        self._in_database, self._clock, self._stopping, self._monotonic = in_database, clock, stopping, monotonic
        self._ready: deque[tuple[Claimed, float]] = deque()
        self._calls: set[asyncio.Task[None]] = set()
        self._answered: list[Answered] = []
        self._wake = asyncio.Event()
        self.delivered = 0
        self.failed = 0

    def look(self) -> None:
        """Look for more, though every call in flight takes long."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver until nothing is due, or the worker is told to stop."""
        while True:
            answered, self._answered = self._answered, []
            self._wake.clear()
            claimed_at = self._monotonic()
            for claimed in await self._turn(answered, self._returned()):
                self._ready.append((claimed, claimed_at + SEND_WITHIN))
            self._start_calls()
            if not self._calls and not self._answered and not self._ready:
                return
            if not self._calls and self._ready:
                continue  # the worker is told to stop: nothing more is sent
            await self._wake.wait()
            await asyncio.sleep(GATHER_SECONDS)

    def _returned(self) -> list[int]:
        """Return what is claimed and will not be sent, for another relay to claim it at once."""
        if not self._stopping():
            return []
        positions = [claimed.position for claimed, _ in self._ready]
        self._ready.clear()
        return positions

    async def _turn(self, answered: Sequence[Answered], returned: Sequence[int]) -> Sequence[Claimed]:
        """Write down what came of some calls, and claim more; try again while the database is away."""
        for _ in range(TRIES):
            # What is claimed waits for a call in flight: none is claimed that would wait for longer than its lease.
            room = 0 if self._stopping() else IN_FLIGHT + AHEAD - len(self._calls) - len(self._ready)
            idle = not self._calls and not self._ready
            try:
                return await self._in_database(partial(self._write, answered, returned, room, idle=idle))
            except (OperationalError, InterfaceError) as error:
                log.warning("deliveries not written down, trying again", error=type(error.orig).__name__)
                await asyncio.sleep(RETRY_SECONDS)
        log.error("deliveries not written down; they are sent once more", deliveries=len(answered))
        return []

    def _write(
        self, answered: Sequence[Answered], returned: Sequence[int], room: int, *, idle: bool
    ) -> Sequence[Claimed]:
        with self._sessions.begin() as session:
            delivery_queries.unclaim(session, self._destination.id, returned, now=self._clock())
            turn = delivery_turn.take(session, self._destination.id, answered, now=self._clock())
            self._destination = turn.destination
            return turn.claim(room, lease=LEASE, idle=idle)

    def _start_calls(self) -> None:
        while self._ready and len(self._calls) < IN_FLIGHT and not self._stopping():
            claimed, send_until = self._ready.popleft()
            if claimed.message is None:
                self._answer(claimed, None)
            elif self._monotonic() < send_until:
                call = asyncio.create_task(self._send(claimed))
                self._calls.add(call)
                call.add_done_callback(self._ended)

    async def _send(self, claimed: Claimed) -> None:
        assert claimed.message is not None, "there is something to send"
        outcome: Delivery = NotDelivered("it could not be sent")
        try:
            with tracing.span(
                "deliver", {"destination": self._destination.name, "event": claimed.message.id}, root=True
            ):
                outcome = await self._sender.send(self._destination.endpoint, claimed.message, now=self._clock())
                tracing.note(outcome=type(outcome).__name__)
        except Exception:
            log.exception("a message could not be sent", destination=self._destination.name)
        self._answer(claimed, outcome)

    def _answer(self, claimed: Claimed, outcome: Delivery | None) -> None:
        if isinstance(outcome, NotDelivered):
            self.failed += 1
        else:
            self.delivered += 1
        self._answered.append((claimed, outcome))
        self._wake.set()

    def _ended(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        with suppress(asyncio.CancelledError):
            call.result()
        self._start_calls()
        self._wake.set()
