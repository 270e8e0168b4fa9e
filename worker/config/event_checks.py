"""What the settings of events and notices must look like: the host's task, its broker, quiet hours. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from worker.config.broker_url import broker_problems
from worker.domain.notices.quiet_hours import parse_quiet_hours

OWN_QUEUE = "again"
"""Where Again's own ticks wait; a host's task there would be taken by a worker that does not know it."""

AMQP = ("amqp", "amqps")

_TASK = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_QUEUE = re.compile(r"[A-Za-z0-9_.:-]{1,100}")


def task_name(value: str) -> str:
    """Validate the name of a Celery task. Raises ValueError."""
    if len(value) > 200 or _TASK.fullmatch(value) is None:
        raise ValueError("must be the name of a Celery task, such as shop.tasks.on_event")
    if value.startswith("again."):
        raise ValueError("must be a task of the host's: those of Again begin with again.")
    return value


def queue_name(value: str) -> str:
    """Validate the name of a queue. Raises ValueError."""
    if _QUEUE.fullmatch(value) is None:
        raise ValueError("must be the name of a queue: at most 100 letters, digits, _ . : and -")
    return value


def quiet_times(value: str) -> str:
    """Validate quiet hours, or `none`. Raises ValueError."""
    parse_quiet_hours(value)
    return value.strip().lower()


def account_page(value: str) -> str:
    """Validate the address of a page where customers pay; a code goes where {subscription} is. Raises ValueError."""
    rest = value.replace("{subscription}", "")
    parts = urlsplit(rest)
    if parts.scheme != "https" or not parts.hostname or not value.isascii() or set(rest) & set(" {}<>\"'\\"):
        raise ValueError("must be an https:// address, such as https://shop.example/account?of={subscription}")
    return value


def events_problems(task: str | None, broker_url: str | None, queue: str | None) -> Iterator[str]:
    """Yield what does not fit together; never the address itself, which may hold a password."""
    if task is None and (broker_url or queue):
        yield "AGAIN_EVENTS_BROKER_URL and AGAIN_EVENTS_QUEUE are for AGAIN_EVENTS_TASK, which is not set."
    if broker_url is None and queue == OWN_QUEUE:
        yield (
            f"AGAIN_EVENTS_QUEUE must not be {OWN_QUEUE} on Again's own broker: its workers would take the events, "
            "and do not know the task."
        )
    if broker_url is not None:
        yield from _broker_problems(broker_url)


def _broker_problems(url: str) -> Iterator[str]:
    try:
        scheme, _ = urlsplit(url).scheme, urlsplit(url).port
    except ValueError:
        scheme = ""
    if scheme in AMQP:
        return
    for problem in broker_problems(url):
        yield problem.replace("AGAIN_BROKER_URL", "AGAIN_EVENTS_BROKER_URL").replace(
            "; give redis://:password@host:6379/0, or rediss://... for TLS", "; give redis://, rediss:// or amqp://"
        )


def is_amqp(url: str) -> bool:
    """Return whether a broker is RabbitMQ or its like."""
    return urlsplit(url).scheme in AMQP
