"""Celery's transport for Redis and Valkey, which throws away what cannot be read instead of ending the worker.

Any program that can write to the broker, as one with the same database number, can put anything into the queue.
Messages are hints: one that is thrown away costs latency, and a worker that ends costs every charge until it is back.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import structlog
from kombu.transport import redis

log = structlog.get_logger()

_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What reading a message raises that is no JSON, has no body, or has another shape than a message."""


class Channel(redis.Channel):
    """Pops a message before decoding it, so that an unreadable one is dropped and does not end the worker."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except _UNREADABLE as error:
            _say_discarded(error)
            return True


class Transport(redis.Transport):
    """Delivers messages to their consumers."""

    Channel = Channel

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
