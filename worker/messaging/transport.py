"""Celery's transport for Redis and Valkey, which goes on where kombu's would end or connect over and over.

Any program that can write to the broker, as one with the same database number, can put anything into the queue, and can
fill its memory. Messages are hints: one that is thrown away costs latency, and a worker that ends costs every charge
until it is back. A full broker still hands out messages and takes acknowledgements; what it refuses is kept by the
worker itself, which delivers its own ticks to itself meanwhile.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import structlog
from kombu.transport import redis, virtual
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import OutOfMemoryError

log = structlog.get_logger()

MAKE_ROOM = "raise the broker's maxmemory, or remove what fills it; again doctor looks at it"
"""What an operator does about a broker whose memory is full."""

_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What reading a message raises that is no JSON, has no body, or has another shape than a message."""


class QoS(redis.QoS):
    """Keeps what was delivered in this process alone while the broker is full: lost with the worker, it is a hint."""

    def append(self, message: Any, delivery_tag: Any) -> None:
        try:
            super().append(message, delivery_tag)  # type: ignore[no-untyped-call]
        except OutOfMemoryError:
            self.channel.connection.note_full()
            virtual.QoS.append(self, message, delivery_tag)  # type: ignore[no-untyped-call]

    def restore_visible(self, *given: Any, **more: Any) -> None:
        with suppress(OutOfMemoryError):
            super().restore_visible(*given, **more)  # type: ignore[no-untyped-call]


class Channel(redis.Channel):
    """Pops a message before decoding it, so that an unreadable one is dropped and does not end the worker."""

    QoS = QoS

    def _connparams(self, *given: Any, **more: Any) -> Any:
        """Return how to connect; a connection that was given up does so no more, and says that it is lost.

        kombu raises AttributeError then, which ends the worker: on closing a channel with messages that are not
        acknowledged, after its broker was killed. The broker hands them out again by itself.
        """
        if self.connection is None or self.connection.client is None:
            raise ConnectionLost("the connection to the broker was given up")
        return super()._connparams(*given, **more)  # type: ignore[no-untyped-call]

    def _put(self, queue: str, message: Any, **options: Any) -> Any:
        """Send a message; to ourselves when the broker is full and this process reads that queue."""
        try:
            sent = super()._put(queue, message, **options)  # type: ignore[no-untyped-call]
        except OutOfMemoryError:
            if not self.connection.delivers(queue):
                raise
            self.connection.note_full()
            self.connection._deliver(message, queue)  # noqa: SLF001 - ours, below
            return None
        self.connection.note_room()
        return sent

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        """Bind a queue; a full broker may know the binding already, and a worker's queue of commands can wait."""
        try:
            super()._queue_bind(exchange, routing_key, pattern, queue)  # type: ignore[no-untyped-call]
        except OutOfMemoryError:
            if queue not in self._expires and not self._is_bound(exchange, routing_key, pattern, queue):
                raise

    def _is_bound(self, exchange: str, routing_key: str, pattern: str, queue: str) -> bool:
        member = self.sep.join([routing_key or "", pattern or "", queue or ""])
        with self.conn_or_acquire() as client:
            return bool(client.sismember(self.keyprefix_queue % (exchange,), member))

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except _UNREADABLE as error:
            _say_discarded(error)
            return True


class Transport(redis.Transport):
    """Delivers messages to their consumers. `is_full` while the broker's memory is, as its last refusal has said."""

    Channel = Channel
    is_full = False

    def delivers(self, queue: str) -> bool:
        """Return whether this connection reads a queue."""
        return queue in self._callbacks

    def note_full(self) -> None:
        if not self.is_full:
            log.error("the broker is full: this worker tells itself what is due", remedy=MAKE_ROOM)
        self.is_full = True

    def note_room(self) -> None:
        if self.is_full:
            log.warning("the broker has room again")
        self.is_full = False

    def _deliver(self, message: Any, queue: str) -> None:
        try:
            super()._deliver(message, queue)  # type: ignore[no-untyped-call]
        except _UNREADABLE as error:
            _say_discarded(error)
            self._settle(message)

    def _settle(self, message: Any) -> None:
        """Acknowledge what has been counted as delivered already, or it would be delivered again and again."""
        with suppress(*_UNREADABLE):
            tag = message["properties"]["delivery_tag"]
            for channel in self.channels:
                if tag in channel.qos._delivered:  # noqa: SLF001 - kombu's own only record
                    channel.basic_reject(tag, requeue=False)


def _say_discarded(error: Exception) -> None:
    # Without its text, which may be anything.
    log.error("message discarded, it cannot be read", error=type(error).__name__)
