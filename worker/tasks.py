"""The Celery tasks, one per row of beat's table: each calls one use case and returns a summary that flower shows.

No argument, no money and no key travels in a message. A message lost or doubled changes nothing but latency.
"""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, Protocol

import structlog
from sqlalchemy.orm import Session

from schedules.beat import beat_table
from worker import process
from worker.app import app, send
from worker.changes import refunds
from worker.changes.apply_due import apply_due_changes
from worker.charging.open_due import open_due_charges
from worker.charging.pump import BUDGET_SPENT
from worker.checkout.maintenance import run_maintenance
from worker.config.task_limits import task_time_limit
from worker.database import audit_partitions, heartbeats
from worker.database.clock import DatabaseClock
from worker.devstack.addresses import broker_address
from worker.doctor.finding import CheckContext
from worker.doctor.watch import troubles
from worker.domain.events.facts import NotInCatalogue
from worker.domain.gateway import Gateway
from worker.events.pruning import prune_old_events
from worker.ledger import database_identity
from worker.notices.sending import send_notices
from worker.operations import alerts, invariant_check
from worker.reconciliation import attempts, statement
from worker.runtime import Runtime


class Summarized(Protocol):
    """What a use case returns: it can be shown in flower as a few words and numbers."""

    def summary(self) -> dict[str, object]: ...


class GatewayWork(Protocol):
    """A use case that asks PortOne, with the runtime and the gateway of this process."""

    def __call__(self, runtime: Runtime, gateway: Gateway, /) -> Coroutine[Any, Any, Summarized]: ...


@app.task(name="again.apply_changes", bind=True, throws=database_identity.WrongDatabase)
def apply_changes(self: Any) -> dict[str, object]:
    """Apply the changes of subscriptions and charges whose time has come."""
    runtime = _begin(self)
    applied = apply_due_changes(
        runtime.sessions, policy=runtime.change_policy, now=runtime.clock(), hold_policy=runtime.hold_policy
    )
    return applied.summary()


@app.task(name="again.open_charges", bind=True, throws=database_identity.WrongDatabase)
def open_charges(self: Any) -> dict[str, object]:
    """Open a charge for every period that has come due."""
    runtime = _begin(self)
    limit, hold_policy = runtime.settings.catch_up_limit, runtime.hold_policy
    opened = open_due_charges(runtime.sessions, now=runtime.clock(), limit=limit, hold_policy=hold_policy)
    return opened.summary()


@app.task(name="again.charge", bind=True, throws=database_identity.WrongDatabase)
def charge(self: Any) -> dict[str, object]:
    """Run the pump once: charge until nothing is due or the time budget ends."""
    runtime = _begin(self)
    entry = next(entry for entry in beat_table(runtime.settings.tick) if entry.task == self.name)
    # Where there is more to do, other processes need not wait for the next tick, nor this one when its time is up.
    pumped = process.current().charge(tell_others=lambda: send(entry))
    if pumped.ended == BUDGET_SPENT:
        send(entry)
    return pumped.summary()


@app.task(name="again.reconcile", bind=True, throws=database_identity.WrongDatabase)
def reconcile(self: Any) -> dict[str, object]:
    """Look up at PortOne every attempt without a definite outcome whose next look-up is due."""
    return _ask_portone(self, _reconcile)


@app.task(name="again.checkout_maintenance", bind=True, throws=database_identity.WrongDatabase)
def checkout_maintenance(self: Any) -> dict[str, object]:
    """Complete or expire open checkouts, look up what webhooks name, and delete unused billing keys."""
    return _ask_portone(self, _maintain_checkouts)


@app.task(name="again.sweep", bind=True, throws=database_identity.WrongDatabase)
def sweep(self: Any) -> dict[str, object]:
    """Compare PortOne's payments with our records: continue an unfinished sweep, or start one when it is due."""
    return _ask_portone(self, _sweep)


@app.task(name="again.refunds", bind=True, throws=database_identity.WrongDatabase)
def go_on_with_refunds(self: Any) -> dict[str, object]:
    """Go on with refunds that a crash, a lost answer or an outage has left open."""
    return _ask_portone(self, _refunds)


@app.task(name="again.relay", bind=True, throws=(database_identity.WrongDatabase, NotInCatalogue))
def relay(self: Any) -> dict[str, object]:
    """Write the events of what has happened, and let this process deliver what is due; waits for no answer."""
    _begin(self)
    try:
        published = process.current().publish()
    finally:
        relayed = process.current().relay()  # what is published is delivered, whatever stands behind it
    return {**published.summary(), **relayed.summary()}


@app.task(name="again.notices", bind=True, throws=database_identity.WrongDatabase)
def send_due_notices(self: Any) -> dict[str, object]:
    """Send the notices that are due: of what has happened, and of what comes in some days."""
    runtime = _begin(self)
    return send_notices(
        runtime.sessions, policy=runtime.notice_policy, now=runtime.clock(), stopping=process.is_stopping
    ).summary()


@app.task(name="again.check_invariants", bind=True, throws=database_identity.WrongDatabase)
def check_invariants(self: Any) -> dict[str, object]:
    """Evaluate every invariant, and record and log those that do not hold."""
    runtime = _begin(self)
    return invariant_check.check_invariants(
        runtime.sessions, now=runtime.clock(), thresholds=runtime.thresholds
    ).summary()


@app.task(name="again.watch", bind=True, throws=database_identity.WrongDatabase)
def watch(self: Any) -> dict[str, object]:
    """Look for troubles, and open and close the alerts that operators are told of."""
    runtime = _begin(self)
    context = CheckContext(runtime, broker_address(runtime.settings))
    return alerts.note(runtime.sessions, troubles(context), now=runtime.clock()).summary()


@app.task(name="again.prune_events", bind=True, throws=database_identity.WrongDatabase)
def prune_events(self: Any) -> dict[str, object]:
    """Delete events that are older than they are kept."""
    runtime = _begin(self)
    return prune_old_events(
        runtime.sessions,
        days=runtime.settings.events_days,
        clock=runtime.clock,
        hold_policy=runtime.hold_policy,
        stopping=process.is_stopping,
    ).summary()


@app.task(name="again.make_partitions", bind=True, throws=database_identity.WrongDatabase)
def make_partitions(self: Any) -> dict[str, object]:
    """Make the audit's partitions of the months to come."""
    return audit_partitions.make_partitions(_begin(self).sessions).summary()


async def _reconcile(runtime: Runtime, gateway: Gateway) -> Summarized:
    return await attempts.reconcile(
        runtime.sessions,
        gateway,
        clock=runtime.clock,
        policy=runtime.policy,
        budget=_budget(runtime),
        stopping=process.is_stopping,
        hold_policy=runtime.hold_policy,
    )


async def _maintain_checkouts(runtime: Runtime, gateway: Gateway) -> Summarized:
    return await run_maintenance(runtime.checkout_context(gateway), stopping=process.is_stopping)


async def _sweep(runtime: Runtime, gateway: Gateway) -> Summarized:
    return await statement.reconcile_statement(
        runtime.sessions,
        gateway,
        clock=runtime.clock,
        policy=runtime.statement_policy,
        budget=_budget(runtime),
        stopping=process.is_stopping,
    )


async def _refunds(runtime: Runtime, gateway: Gateway) -> Summarized:
    return await refunds.go_on_with_changes(
        runtime.refund_desk(gateway), budget=_budget(runtime), stopping=process.is_stopping
    )


def _budget(runtime: Runtime) -> timedelta:
    return timedelta(seconds=runtime.settings.pump_seconds)


def _ask_portone(task: Any, work: GatewayWork) -> dict[str, object]:
    """Run one task's use case with this process's gateway."""
    runtime = _begin(task)

    async def summarized(gateway: Gateway) -> dict[str, object]:
        return (await work(runtime, gateway)).summary()

    return process.current().run(summarized)


def _begin(task: Any) -> Runtime:
    """Bind the task to the log lines, set our clock, and record the heartbeats of the task and of beat.

    Raises WrongDatabase: asking another PortOne about this database's attempts would make its "not found" believed.
    """
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task.request.id)
    runtime = process.current().runtime
    # Each statement commits by itself: a worker that freezes here holds no row that others are waiting for.
    with Session(runtime.engine.execution_options(isolation_level="AUTOCOMMIT")) as session:
        if isinstance(runtime.clock, DatabaseClock):
            runtime.clock.sync(session)
        # A task begins more often than any may run; where none did, no worker was there.
        heartbeats.note_return(session, now=runtime.clock(), silence=task_time_limit(runtime.settings))
        heartbeats.beat(session, task.name, now=runtime.clock())
        if task.request.get("celery_beat_task"):
            heartbeats.beat(session, heartbeats.BEAT, now=runtime.clock())
        database_identity.verify(session, runtime.hold_policy)
    return runtime
