"""What each tick does in one process: one use case per row of beat's table, for beat and for the test clock.

`worker.tasks` is told by beat, over the broker; `worker.playback` by a clock that is turned.
"""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, Protocol

from sqlalchemy.orm import Session

from worker import process
from worker.changes import refunds
from worker.changes.apply_due import apply_due_changes
from worker.charging.open_due import open_due_charges
from worker.checkout.maintenance import run_maintenance
from worker.config.task_limits import task_time_limit
from worker.database import audit_partitions, heartbeats
from worker.database.clock import DatabaseClock
from worker.devstack.addresses import broker_address
from worker.doctor.finding import CheckContext
from worker.doctor.watch import troubles
from worker.domain.gateway import Gateway
from worker.events.pruning import prune_old_events
from worker.ledger import database_identity
from worker.notices.sending import send_notices
from worker.operations import alerts, invariant_check
from worker.process import Process
from worker.reconciliation import attempts, statement
from worker.runtime import Runtime


class Summarized(Protocol):
    """What a use case returns: it can be shown in flower as a few words and numbers."""

    def summary(self) -> dict[str, object]: ...


def begin(of: Process, name: str, *, from_beat: bool = False) -> None:
    """Set the process's clock, and record the heartbeats of a tick, and of beat if that has sent it.

    Raises WrongDatabase: asking another PortOne about this database's attempts would make its "not found" believed.
    """
    runtime, ahead = of.runtime, None
    # Each statement commits by itself: a worker that freezes here holds no row that others are waiting for.
    with Session(runtime.engine.execution_options(isolation_level="AUTOCOMMIT")) as session:
        if isinstance(runtime.clock, DatabaseClock):
            runtime.clock.sync(session)
            ahead = runtime.clock.ahead
        # A task begins more often than any may run; where none did, no worker was there.
        silence = task_time_limit(runtime.settings)
        heartbeats.note_return(session, now=runtime.clock(), silence=silence, ahead=ahead)
        heartbeats.beat(session, name, now=runtime.clock(), ahead=ahead)
        if from_beat:
            heartbeats.beat(session, heartbeats.BEAT, now=runtime.clock(), ahead=ahead)
        database_identity.verify(session, runtime.hold_policy)


def apply_changes(of: Process) -> Summarized:
    """Apply the changes of subscriptions and charges whose time has come."""
    runtime = of.runtime
    return apply_due_changes(
        runtime.sessions, policy=runtime.change_policy, now=runtime.clock(), hold_policy=runtime.hold_policy
    )


def open_charges(of: Process) -> Summarized:
    """Open a charge for every period that has come due."""
    runtime = of.runtime
    limit, hold_policy = runtime.settings.catch_up_limit, runtime.hold_policy
    return open_due_charges(runtime.sessions, now=runtime.clock(), limit=limit, hold_policy=hold_policy)


def reconcile(of: Process) -> Summarized:
    """Look up at PortOne every attempt without a definite outcome whose next look-up is due."""

    async def ask(gateway: Gateway) -> Summarized:
        runtime = of.runtime
        return await attempts.reconcile(
            runtime.sessions,
            gateway,
            clock=runtime.clock,
            policy=runtime.policy,
            budget=_budget(runtime),
            stopping=process.is_stopping,
            hold_policy=runtime.hold_policy,
        )

    return of.run(ask)


def checkout_maintenance(of: Process) -> Summarized:
    """Complete or expire open checkouts, look up what webhooks name, and delete unused billing keys."""

    def ask(gateway: Gateway) -> Coroutine[Any, Any, Summarized]:
        return run_maintenance(of.runtime.checkout_context(gateway), stopping=process.is_stopping)

    return of.run(ask)


def sweep(of: Process) -> Summarized:
    """Compare PortOne's payments with our records: continue an unfinished sweep, or start one when it is due."""

    def ask(gateway: Gateway) -> Coroutine[Any, Any, Summarized]:
        runtime = of.runtime
        return statement.reconcile_statement(
            runtime.sessions,
            gateway,
            clock=runtime.clock,
            policy=runtime.statement_policy,
            budget=_budget(runtime),
            stopping=process.is_stopping,
        )

    return of.run(ask)


def go_on_with_refunds(of: Process) -> Summarized:
    """Go on with refunds that a crash, a lost answer or an outage has left open."""

    def ask(gateway: Gateway) -> Coroutine[Any, Any, Summarized]:
        runtime = of.runtime
        desk = runtime.refund_desk(gateway)
        return refunds.go_on_with_changes(desk, budget=_budget(runtime), stopping=process.is_stopping)

    return of.run(ask)


def send_due_notices(of: Process) -> Summarized:
    """Send the notices that are due: of what has happened, and of what comes in some days."""
    runtime = of.runtime
    return send_notices(
        runtime.sessions, policy=runtime.notice_policy, now=runtime.clock(), stopping=process.is_stopping
    )


def check_invariants(of: Process) -> Summarized:
    """Evaluate every invariant, and record and log those that do not hold."""
    runtime = of.runtime
    return invariant_check.check_invariants(runtime.sessions, now=runtime.clock(), thresholds=runtime.thresholds)


def watch(of: Process) -> Summarized:
    """Look for troubles, and open and close the alerts that operators are told of."""
    runtime = of.runtime
    context = CheckContext(runtime, broker_address(runtime.settings))
    return alerts.note(runtime.sessions, troubles(context), now=runtime.clock())


def prune_events(of: Process) -> Summarized:
    """Delete events that are older than they are kept."""
    runtime = of.runtime
    return prune_old_events(
        runtime.sessions,
        days=runtime.settings.events_days,
        clock=runtime.clock,
        hold_policy=runtime.hold_policy,
        stopping=process.is_stopping,
    )


def make_partitions(of: Process) -> Summarized:
    """Make the audit's partitions of the months to come."""
    return audit_partitions.make_partitions(of.runtime.sessions)


def _budget(runtime: Runtime) -> timedelta:
    return timedelta(seconds=runtime.settings.pump_seconds)
