"""The shop's own Celery worker: it opens and closes a feature as Again's events say. Copy it.

Run: `celery -A tests.examples.shop_worker worker`, with Again's settings, SHOP_BROKER_URL and SHOP_DATABASE set. In the
settings of Again's worker, AGAIN_EVENTS_TASK=shop.on_event, and AGAIN_EVENTS_BROKER_URL is the same broker.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from typing import Any

from celery import Celery
from celery.bootsteps import StartStopStep
from kombu.exceptions import OperationalError

from worker import open_host_runtime, read_events

app = Celery("shop", broker=os.environ["SHOP_BROKER_URL"])
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,  # an event is worked off when its transaction is committed, and not when it is read
    task_reject_on_worker_lost=True,
    # Redis and Valkey: what a dead worker had read goes to another one after so many seconds.
    broker_transport_options={"visibility_timeout": 60},
)

UNTIL_IT_WORKS = {"autoretry_for": (Exception,), "max_retries": None, "default_retry_delay": 5}

LOOK_BACK = 24 * 3600 * 1_000_000
"""Positions are microseconds: a day before the newest event that was seen."""

TABLES = """
    CREATE TABLE IF NOT EXISTS seen (event TEXT PRIMARY KEY, position INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS features (
        subscription TEXT PRIMARY KEY, is_open INTEGER NOT NULL, position INTEGER NOT NULL);
"""

SEEN_AFTER = "SELECT event FROM seen WHERE position > ?"

SET_FEATURE = """
    INSERT INTO features VALUES (:subscription, :is_open, :position)
    ON CONFLICT (subscription) DO UPDATE SET is_open = excluded.is_open, position = excluded.position
    WHERE excluded.position > features.position
"""


@app.task(name="shop.on_event", **UNTIL_IT_WORKS)
def on_event(**event: Any) -> None:
    """Work one event off, in one transaction: one that comes again, or late, changes nothing."""
    subscription = event["data"].get("subscription")
    with transaction() as database:
        new = database.execute("INSERT INTO seen VALUES (:id, :position) ON CONFLICT DO NOTHING", event).rowcount == 1
        if not new or subscription is None:
            return
        is_open = has_access(subscription, at=datetime.fromisoformat(event["timestamp"]))
        row = {"subscription": subscription["code"], "is_open": is_open, "position": event["position"]}
        database.execute(SET_FEATURE, row)


class LookBack(StartStopStep):  # type: ignore[misc]
    """Start to catch up whenever a worker has connected to its broker, for the first time or again: see below."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        with suppress(OperationalError):  # the broker is gone again: this comes once more, with the next connection
            catch_up.delay()


app.steps["consumer"].add(LookBack)


@app.task(name="shop.catch_up", acks_late=False, **UNTIL_IT_WORKS)
def catch_up() -> None:
    """Read what may be lost: a message that was just taken out of Redis when either end was killed is nowhere."""
    with transaction() as database:
        (newest,) = database.execute("SELECT coalesce(max(position), 0) FROM seen").fetchone()
        seen = {row[0] for row in database.execute(SEEN_AFTER, [newest - LOOK_BACK])}
    with open_host_runtime(actor="shop") as runtime:
        for event in read_events(runtime.sessions, after=newest - LOOK_BACK):
            if event.id not in seen:
                on_event(id=event.id, timestamp=event.at.isoformat(), position=event.position, data=event.data)


def has_access(subscription: Mapping[str, Any], *, at: datetime) -> bool:
    """Return whether the feature is open, by what every event says of its subscription.

    It is once something is paid or a trial runs; not while a charge is past due; and of what was canceled or paused, as
    long as what was paid lasts.
    """
    if subscription["access_until"] is None:
        return False
    if subscription["status"] in {"canceled", "paused"}:
        return at < datetime.fromisoformat(subscription["access_until"])
    return subscription["status"] in {"trialing", "active"}


def is_open(code: str) -> bool:
    """Return whether the feature of a subscription is open: what the shop's pages ask."""
    with transaction() as database:
        row = database.execute("SELECT is_open FROM features WHERE subscription = ?", [code]).fetchone()
    return row is not None and bool(row[0])


@contextmanager
def transaction() -> Iterator[sqlite3.Connection]:
    """Your own database. What is not committed is as if it had never been."""
    with closing(sqlite3.connect(os.environ["SHOP_DATABASE"], timeout=30)) as database:
        database.executescript(TABLES)
        with database:
            database.execute("BEGIN IMMEDIATE")
            yield database
