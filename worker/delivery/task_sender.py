"""Sends events to a Celery task of the host, by its name, through the host's broker or Again's own.

An app of its own: what the host's broker does touches nothing of Again's. The host knows each event by its id, which is
the id of the task too.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import OutOfMemoryError, RedisError

from worker.config.broker_url import BrokerAddress
from worker.config.event_checks import is_amqp
from worker.domain.events.destinations import Delivered, Delivery, Endpoint, Message, NotDelivered

THREADS = 4
"""Messages that are handed over at once; a broker takes each in less than a millisecond."""

SOCKET_SECONDS = 5
"""A broker that does not answer for so long is away."""

HOST_QUEUE = "celery"
"""Celery's own default."""

AGAIN_ONCE = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
"""With another connection: one that was kept may have been closed since."""


class TaskSender:
    """Sends tasks by name. Connects to nothing before the first."""

    def __init__(self, broker_url: str, *, queue: str | None = None) -> None:
        self._broker_url, self._queue = broker_url, queue or HOST_QUEUE
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="again-tasks")
        self._app: Any = None

    async def send(self, endpoint: Endpoint, message: Message, *, now: datetime) -> Delivery:  # noqa: ARG002 - of the port
        """Send a task; it has arrived when the broker has confirmed it."""
        if not self._broker_url:
            return NotDelivered("no broker is known: set AGAIN_EVENTS_BROKER_URL")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._send, endpoint.target, message)

    def _send(self, task: str, message: Message) -> Delivery:
        try:
            self._celery().send_task(
                task,
                kwargs={"id": message.id, **message.content()},
                task_id=message.id,
                queue=self._queue,
                ignore_result=True,
                retry=True,
                retry_policy=AGAIN_ONCE,
            )
        except (OperationalError, RedisError, OSError) as error:
            cause = error.__cause__ or error  # kombu wraps what its client raises
            if isinstance(cause, OutOfMemoryError):
                return NotDelivered("the broker's memory is full")
            return NotDelivered(f"the broker is not reached: {type(cause).__name__}")
        except Exception as error:  # noqa: BLE001 - whatever a broker does, the event has to be sent again
            return NotDelivered(f"the broker refuses: {type(error).__name__}")
        return Delivered("in the broker")

    def _celery(self) -> Any:
        if self._app is None:
            self._app = Celery("again-events", set_as_current=False, fixups=[])
            self._app.conf.update(configuration(self._broker_url))
        return self._app

    async def aclose(self) -> None:
        """Close the connections; one that hangs is left to end by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._app is not None:
            self._app.close()


def configuration(broker_url: str) -> dict[str, Any]:
    """Return the settings of the app that sends: JSON, confirmed, and no wait without an end."""
    common = {
        "task_serializer": "json",
        "accept_content": ["json"],
        "result_backend": None,
        "task_ignore_result": True,
        "broker_connection_timeout": SOCKET_SECONDS,
        "broker_pool_limit": THREADS,
        "timezone": "UTC",
    }
    if is_amqp(broker_url):
        timeouts = dict.fromkeys(
            ("connect_timeout", "read_timeout", "write_timeout", "confirm_timeout"), SOCKET_SECONDS
        )
        return {
            **common,
            "broker_url": broker_url,
            "broker_transport_options": {"confirm_publish": True, **timeouts},
        }
    broker = BrokerAddress.read(broker_url)
    return {
        **common,
        "broker_url": broker.url,
        "broker_use_ssl": False if broker.tls is None else dict(broker.tls),
        "broker_transport_options": {
            "socket_timeout": SOCKET_SECONDS,
            "socket_connect_timeout": SOCKET_SECONDS,
            "socket_keepalive": True,
        },
    }
