"""The Celery app: JSON only, acknowledged late, no results kept, beat's table from `schedules.beat`.

Configuration is read when Celery first needs it, so importing this module needs no servers and no settings. Nor does it
bring along what tasks need, or the client of the broker: beat, flower and `celery inspect` import it too.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import cycle
from typing import Any

import structlog
from billiard import active_children
from celery import Celery, signals
from celery.schedules import crontab, schedule
from kombu.exceptions import OperationalError

from schedules.beat import Entry, beat_table
from worker import process
from worker.config import tracing
from worker.config.broker_url import BrokerAddress
from worker.config.logs import configure_logs
from worker.config.settings import InvalidSettings, Settings
from worker.config.task_limits import task_time_limit, visibility_timeout
from worker.messaging.forced_exit import exit_within
from worker.messaging.registration import register_transport

QUEUE = "again"

OWN_TICK_EVERY = 6
"""Of so many ticks of beat, a worker sends one itself; and every one while the broker is full, when beat cannot."""

log = structlog.get_logger()

register_transport()
app = Celery("again", include=["worker.tasks"], task_cls="worker.messaging.traced_task:TracedTask")


def configuration() -> dict[str, Any]:
    """Return Celery's settings, or end the program with one sentence per problem."""
    from worker.devstack.addresses import NotAvailable, known_addresses

    try:
        settings = Settings.from_env()
        addresses = known_addresses(settings)
    except (InvalidSettings, NotAvailable) as problem:
        raise SystemExit(f"again: {problem}") from None
    limit = task_time_limit(settings)
    visibility = visibility_timeout(settings)
    broker = BrokerAddress.read(addresses.broker_url)
    return {
        "broker_url": broker.url,
        "broker_use_ssl": False if broker.tls is None else dict(broker.tls),
        "task_default_queue": QUEUE,
        # No pickle: what unpickles a message runs whatever the message says.
        "accept_content": ["json"],
        "task_serializer": "json",
        "event_serializer": "json",
        "result_accept_content": ["json"],
        # Messages are hints: nothing keeps results, anything may be lost or doubled.
        "task_ignore_result": True,
        "result_backend": None,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "worker_max_tasks_per_child": 2000,  # of which most are the relay's, one a second
        # Only a process that hangs is ended; a pump ends itself long before. No soft limit: it would raise anywhere.
        "task_time_limit": int(limit.total_seconds()),
        "worker_soft_shutdown_timeout": limit.total_seconds(),
        # Calls in flight belong to no task: without one, they would be cut off, and have to be looked up.
        "worker_enable_soft_shutdown_on_idle": True,
        "worker_send_task_events": True,
        "task_send_sent_event": True,
        "worker_hijack_root_logger": False,
        # Half-open connections, a killed broker and a killed worker are survived with these, measured.
        "broker_connection_retry_on_startup": True,
        # A broker that is away is no reason to end calls in flight; Celery 6 will do that unless told not to.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "broker_connection_max_retries": None,
        # A primary that becomes a replica in a failover refuses writes and blocking reads. That passes.
        "broker_channel_error_retry": True,
        "visibility_timeout": visibility,
        "broker_transport_options": {
            "visibility_timeout": visibility,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            "socket_timeout": 5,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 5,
        },
        "control_queue_ttl": 300,
        "control_queue_expires": 600,
        "beat_schedule": {entry.task: _celery_entry(entry) for entry in beat_table(settings.tick)},
        "beat_max_loop_interval": 1,
        "beat_scheduler": "worker.messaging.beat_scheduler:StatelessScheduler",
        "timezone": "UTC",
    }


app.add_defaults(configuration)


def _celery_entry(entry: Entry) -> dict[str, Any]:
    every = crontab.from_string(entry.every) if isinstance(entry.every, str) else schedule(entry.every)
    return {"task": entry.task, "schedule": every, "options": {"expires": entry.expires.total_seconds()}}


@signals.setup_logging.connect(weak=False)
def _configure_logs(**_: object) -> None:
    configure_logs(Settings.from_env().log_level)


@signals.task_postrun.connect(weak=False)
def _unbind_logs(**_: object) -> None:
    """What is logged between two tasks is neither's."""
    structlog.contextvars.clear_contextvars()


@signals.worker_shutting_down.connect(weak=False)
def _stop_claiming(**_: object) -> None:
    process.stop_claiming()
    # The longest task, and as long as its write-back may take: then whatever still hangs will hang for ever.
    settings = Settings.from_env()
    patience = task_time_limit(settings).total_seconds() + settings.write_back_seconds
    exit_within(patience, lambda: [child.pid for child in active_children()])


@signals.worker_before_create_process.connect(weak=False)
def _share_with_children(**_: object) -> None:
    process.share_with_children()


@signals.worker_process_init.connect(weak=False)
def _trace(**_: object) -> None:
    if Settings.from_env().traces:
        tracing.start()


@signals.worker_process_shutdown.connect(weak=False)
def _close_process(**_: object) -> None:
    process.forget()
    tracing.stop()


@signals.worker_ready.connect(weak=False)
def _look_without_beat(sender: Any, **_: object) -> None:
    """Send the ticks now and then ourselves: with every beat down, charges are late by minutes, not forgotten."""
    for entry in beat_table(Settings.from_env().tick):
        if isinstance(entry.every, timedelta):
            turns = cycle(range(OWN_TICK_EVERY))
            sender.timer.call_repeatedly(entry.every.total_seconds(), _tick_ourselves, (sender, entry, turns))


def _tick_ourselves(consumer: Any, entry: Entry, turns: Iterator[int]) -> None:
    """Send a tick with the consumer's connection, by which the worker tells itself while the broker is full."""
    is_turn = next(turns) == OWN_TICK_EVERY - 1
    if is_turn or getattr(consumer.connection.transport, "is_full", False):
        send(entry, connection=consumer.connection)


def send(entry: Entry, connection: Any = None) -> None:
    """Send one tick ourselves; when the broker is away or full, beat or the next try will do."""
    from redis import RedisError

    try:
        app.send_task(entry.task, expires=entry.expires.total_seconds(), retry=False, connection=connection)
    except (OperationalError, RedisError) as error:
        log.warning("tick not sent, the broker is not reached or full", task=entry.task, error=str(error))
