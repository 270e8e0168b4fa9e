"""The Celery tasks, one per row of beat's table: each calls one use case and returns a summary that flower shows.

No argument, no money and no key travels in a message. A message lost or doubled changes nothing but latency.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

from schedules.beat import beat_table
from worker import process, ticks
from worker.app import app, send
from worker.charging.pump import BUDGET_SPENT
from worker.domain.events.facts import NotInCatalogue
from worker.ledger.database_identity import WrongDatabase
from worker.process import Process
from worker.ticks import Summarized


@app.task(name="again.apply_changes", bind=True, throws=WrongDatabase)
def apply_changes(self: Any) -> dict[str, object]:
    """Apply the changes of subscriptions and charges whose time has come."""
    return _done(self, ticks.apply_changes)


@app.task(name="again.open_charges", bind=True, throws=WrongDatabase)
def open_charges(self: Any) -> dict[str, object]:
    """Open a charge for every period that has come due."""
    return _done(self, ticks.open_charges)


@app.task(name="again.charge", bind=True, throws=WrongDatabase)
def charge(self: Any) -> dict[str, object]:
    """Run the pump once: charge until nothing is due or the time budget ends."""
    runtime = _ready(self).runtime
    entry = next(entry for entry in beat_table(runtime.settings.tick) if entry.task == self.name)
    # Where there is more to do, other processes need not wait for the next tick, nor this one when its time is up.
    pumped = process.current().charge(tell_others=lambda: send(entry))
    if pumped.ended == BUDGET_SPENT:
        send(entry)
    return pumped.summary()


@app.task(name="again.reconcile", bind=True, throws=WrongDatabase)
def reconcile(self: Any) -> dict[str, object]:
    """Look up at PortOne every attempt without a definite outcome whose next look-up is due."""
    return _done(self, ticks.reconcile)


@app.task(name="again.checkout_maintenance", bind=True, throws=WrongDatabase)
def checkout_maintenance(self: Any) -> dict[str, object]:
    """Complete or expire open checkouts, look up what webhooks name, and delete unused billing keys."""
    return _done(self, ticks.checkout_maintenance)


@app.task(name="again.sweep", bind=True, throws=WrongDatabase)
def sweep(self: Any) -> dict[str, object]:
    """Compare PortOne's payments with our records: continue an unfinished sweep, or start one when it is due."""
    return _done(self, ticks.sweep)


@app.task(name="again.refunds", bind=True, throws=WrongDatabase)
def go_on_with_refunds(self: Any) -> dict[str, object]:
    """Go on with refunds that a crash, a lost answer or an outage has left open."""
    return _done(self, ticks.go_on_with_refunds)


@app.task(name="again.relay", bind=True, throws=(WrongDatabase, NotInCatalogue))
def relay(self: Any) -> dict[str, object]:
    """Write the events of what has happened, and let this process deliver what is due; waits for no answer."""
    current = _ready(self)
    try:
        published = current.publish()
    finally:
        relayed = current.relay()  # what is published is delivered, whatever stands behind it
    return {**published.summary(), **relayed.summary()}


@app.task(name="again.notices", bind=True, throws=WrongDatabase)
def send_due_notices(self: Any) -> dict[str, object]:
    """Send the notices that are due: of what has happened, and of what comes in some days."""
    return _done(self, ticks.send_due_notices)


@app.task(name="again.check_invariants", bind=True, throws=WrongDatabase)
def check_invariants(self: Any) -> dict[str, object]:
    """Evaluate every invariant, and record and log those that do not hold."""
    return _done(self, ticks.check_invariants)


@app.task(name="again.watch", bind=True, throws=WrongDatabase)
def watch(self: Any) -> dict[str, object]:
    """Look for troubles, and open and close the alerts that operators are told of."""
    return _done(self, ticks.watch)


@app.task(name="again.prune_events", bind=True, throws=WrongDatabase)
def prune_events(self: Any) -> dict[str, object]:
    """Delete events that are older than they are kept."""
    return _done(self, ticks.prune_events)


@app.task(name="again.make_partitions", bind=True, throws=WrongDatabase)
def make_partitions(self: Any) -> dict[str, object]:
    """Make the audit's partitions of the months to come."""
    return _done(self, ticks.make_partitions)


def _done(task: Any, tick: Callable[[Process], Summarized]) -> dict[str, object]:
    return tick(_ready(task)).summary()


def _ready(task: Any) -> Process:
    """Bind the task to the log lines, and return this process, ready for the tick."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task.request.id)
    current = process.current()
    ticks.begin(current, task.name, from_beat=bool(task.request.get("celery_beat_task")))
    return current
