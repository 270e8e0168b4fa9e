"""The Celery tasks: each reads the clock, calls one use case, and returns a summary that flower shows.

No argument, no money and no key travels in a message. A message lost or doubled changes nothing but latency.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.orm import Session

from worker import process
from worker.app import app, send, ticks
from worker.charging.open_due import open_due_charges
from worker.charging.pump import BUDGET_SPENT, Pump, Pumped
from worker.charging.run_limits import limits_of
from worker.checkout.maintenance import look_after
from worker.database import heartbeats
from worker.database.clock import DatabaseClock
from worker.domain.gateway import Gateway
from worker.ledger import charging_hold
from worker.operations.invariant_check import check_invariants as look_at_invariants
from worker.reconciliation.attempts import reconcile as reconcile_attempts
from worker.reconciliation.statement import sweep as sweep_payments
from worker.runtime import Runtime


@app.task(name="again.open_charges", bind=True, throws=charging_hold.WrongDatabase)
def open_charges(self: Any) -> dict[str, object]:
    """Open a charge for every period that has come due."""
    runtime = _begin(self)
    cap, watch = runtime.settings.catch_up_cap, runtime.watch
    opened = open_due_charges(runtime.sessions, now=runtime.clock(), cap=cap, watch=watch)
    return opened.summary()


@app.task(name="again.charge", bind=True, throws=charging_hold.WrongDatabase)
def charge(self: Any) -> dict[str, object]:
    """One pump run: charge until nothing is due or the time budget ends."""
    runtime = _begin(self)

    async def pump(gateway: Gateway) -> Pumped:
        run = Pump(
            runtime.sessions,
            gateway,
            clock=runtime.clock,
            limits=limits_of(runtime.settings, runtime.watch),
            policy=runtime.policy,
            stopping=process.is_stopping,
        )
        return await run.run()

    pumped = process.current().run(pump)
    if pumped.ended == BUDGET_SPENT:
        # There is more to do, and the next tick may be seconds away.
        send(next(entry for entry in ticks(runtime.settings) if entry.task == self.name))
    return pumped.summary()


@app.task(name="again.reconcile", bind=True, throws=charging_hold.WrongDatabase)
def reconcile(self: Any) -> dict[str, object]:
    """Look up every attempt whose outcome is open and whose turn it is, and what became of customers' checkouts."""
    runtime = _begin(self)

    async def look_up(gateway: Gateway) -> dict[str, object]:
        reconciled = await reconcile_attempts(
            runtime.sessions,
            gateway,
            clock=runtime.clock,
            policy=runtime.policy,
            budget=timedelta(seconds=runtime.settings.pump_seconds),
            stopping=process.is_stopping,
            watch=runtime.watch,
        )
        cared = await look_after(runtime.both_sides(gateway), stopping=process.is_stopping)
        return {**reconciled.summary(), "checkouts": cared.summary()}

    return process.current().run(look_up)


@app.task(name="again.sweep", bind=True, throws=charging_hold.WrongDatabase)
def sweep(self: Any) -> dict[str, object]:
    """Compare PortOne's payments with the books: carry on where the last run ended, or begin when it is time."""
    runtime = _begin(self)

    async def compare(gateway: Gateway) -> dict[str, object]:
        swept = await sweep_payments(
            runtime.sessions,
            gateway,
            clock=runtime.clock,
            policy=runtime.sweep_policy,
            budget=timedelta(seconds=runtime.settings.pump_seconds),
            stopping=process.is_stopping,
        )
        return swept.summary()

    return process.current().run(compare)


@app.task(name="again.check_invariants", bind=True, throws=charging_hold.WrongDatabase)
def check_invariants(self: Any) -> dict[str, object]:
    """Look at what must always be true of the books, and say what is not."""
    runtime = _begin(self)
    return look_at_invariants(runtime.sessions, now=runtime.clock(), patience=runtime.patience).summary()


def _begin(task: Any) -> Runtime:
    """Bind the task to the log lines, and set our clock; note that we are alive, and that beat is when it sent this.

    Raises WrongDatabase: whoever asks another PortOne about this database's attempts would believe its "not found".
    """
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task.request.id)
    runtime = process.current().runtime
    # Each statement commits by itself: a worker that freezes here holds no row that others are waiting for.
    with Session(runtime.engine.execution_options(isolation_level="AUTOCOMMIT")) as session:
        if isinstance(runtime.clock, DatabaseClock):
            runtime.clock.sync(session)
        heartbeats.beat(session, task.name, now=runtime.clock())
        if task.request.get("celery_beat_task"):
            heartbeats.beat(session, heartbeats.BEAT, now=runtime.clock())
        charging_hold.verify(session, runtime.watch)
    return runtime
