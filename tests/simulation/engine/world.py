"""The state of one history: time, database, sandbox, workers, and the events to come."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from operator import itemgetter
from typing import Any

from psycopg import OperationalError as DriverError
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import OperationalError

from tests.simulation.engine.faults import AFTER_COMMIT, BEFORE_COMMIT, STANDSTILLS, Crash, Fault, Kind, Plan, Point
from tests.simulation.engine.host import Host
from tests.simulation.engine.idle_ticks import IdleTicks
from tests.simulation.engine.relaying import RELAY
from tests.simulation.engine.worker_process import WorkerProcess
from tests.support.arrivals import HostReply
from tests.support.book import Book
from worker.charging.run_limits import run_limits
from worker.config.settings import Settings
from worker.database.engine import session_factory
from worker.domain.events.destinations import DestinationKind
from worker.events import destination_queries
from worker.events.destination_queries import NewDestination
from worker.events.drain import LEASE
from worker.runtime import Runtime
from worker.sandbox.rules.behaviours import Behaviour
from worker.sandbox.rules.billing_keys import BillingKey
from worker.sandbox.rules.providers import Instrument, channel
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.store import key_rows
from worker.sandbox.store.ledger import Ledger
from worker.sandbox.switches import Settings as SandboxSettings
from worker.sandbox.switches import Switches

HOST = NewDestination(
    name="host", kind=DestinationKind.WEBHOOK, target="https://host.invalid/hook", secrets=["whsec_c2lt"]
)
SWEEP_EVERY = timedelta(days=1)
SWEEP_SPAN = timedelta(days=5)
START = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
SETTINGS = Settings.from_env({"AGAIN_MAX_SUBSCRIPTION_CHARGES_PER_DAY": "1000"})
"""As usual, but for the cap that a daily plan meets when it is charged for a month at once, after a long silence."""


class World:
    """One history. Events happen one at a time, and the same choices give the same order."""

    def __init__(
        self, engine: Engine, plan: Plan, *, rules: dict[str, Any] | None = None, watched: bool = False
    ) -> None:
        self.time = 0.0
        self.database_ahead = 0.0  # of the truth, in seconds; the database's clock may be set
        self.engine, self.settings = engine, SETTINGS
        self.sessions = session_factory(engine)
        runtime = Runtime(SETTINGS, self.database_now, engine, self.sessions)
        self.policy, self.limits = runtime.policy, run_limits(SETTINGS)
        self.hold_policy = runtime.hold_policy if watched else None
        self.statement_policy = replace(runtime.statement_policy, every=SWEEP_EVERY, span=SWEEP_SPAN, pause=0.0)
        self.thresholds = runtime.thresholds
        self.idle_ticks = IdleTicks(self)
        self.book = Book(self.sessions)
        settings = SandboxSettings(seed="simulation", switches=Switches().changed(rules or {}))
        self.sandbox = Sandbox(Ledger(":memory:"), self.now, settings)
        self.host: Host | None = None
        self.workers: list[WorkerProcess] = []
        self.points: list[Point] = []
        self.struck: list[str] = []
        self.failed_ticks: list[str] = []
        self.corrected: dict[str, float] = {}  # when PortOne corrected which payments (imp_uids) from failed to paid
        self.plan = plan
        self.choose: Callable[[Sequence[WorkerProcess]], WorkerProcess] = itemgetter(0)
        self.worker_class = WorkerProcess
        self._current: WorkerProcess | None = None
        self._wrote = False
        self._coming: list[tuple[float, int, Callable[[], object]]] = []
        self._order = count()
        event.listen(engine, "commit", self._on_commit)
        event.listen(engine, "after_cursor_execute", self._on_statement)
        self.idle_ticks.begin()

    # --- time -------------------------------------------------------------------------------------------------------

    def instant(self, seconds: float) -> datetime:
        return START + timedelta(seconds=seconds)

    def now(self) -> datetime:
        return self.instant(self.time)

    def database_now(self) -> datetime:
        return self.instant(self.time + self.database_ahead)

    def since_start(self, at: datetime) -> float:
        """Return an instant of the database in seconds of this world."""
        return (at - self.instant(0)).total_seconds() - self.database_ahead

    def after(self, seconds: float, happening: Callable[[], object]) -> None:
        heapq.heappush(self._coming, (self.time + seconds, next(self._order), happening))

    def run(self, *, until: float) -> None:
        """Run all events until an instant."""
        while self._turn() or self._advance(until):
            pass
        self._go_to(until)

    def run_until_idle(self, *, until: float) -> None:
        """Run all events until every worker waits for its next tick, is frozen, or is dead."""
        while self._turn() or (not self._at_rest() and self._advance(until)):
            pass

    def next_happening(self) -> float | None:
        times = [worker.next_time() for worker in self.workers]
        return min(
            (when for when in (*times, *(each[0] for each in self._coming[:1])) if when is not None), default=None
        )

    def _at_rest(self) -> bool:
        return all(worker.frozen or worker.is_idle() for worker in self.workers)

    def _turn(self) -> bool:
        able = [worker for worker in self.workers if worker.can_run()]
        if not able:
            return False
        self._current = self.choose(able) if len(able) > 1 else able[0]
        try:
            self._current.loop.turn()
        finally:
            self._current = None
        return True

    def _advance(self, until: float) -> bool:
        when = self.next_happening()
        if when is None or when > until:
            return False
        self._go_to(when)
        while self._coming and self._coming[0][0] <= self.time:
            heapq.heappop(self._coming)[2]()
        return True

    def _go_to(self, when: float) -> None:
        self.idle_ticks.go_to(when)
        self.time = max(self.time, when)

    # --- who is there -----------------------------------------------------------------------------------------------

    def start_worker(self, *, behind: float = 0.0) -> WorkerProcess:
        worker = self.worker_class(self, f"w{len(self.workers) + 1}", behind=behind)
        self.workers.append(worker)
        return worker

    def living(self) -> list[WorkerProcess]:
        return [worker for worker in self.workers if worker.alive]

    def subscribe(self, *story: Behaviour, pg: str = "kakaopay", **terms: Any) -> str:
        subscribed = self.book.subscribe(now=self.now(), pg=pg, **terms)
        instrument = Instrument.MONEY if pg == "kakaopay" else Instrument.CARD
        key = BillingKey(subscribed.customer_uid, channel(pg, sandbox=True), instrument, story)
        key_rows.put(self.sandbox.ledger, [key])
        return subscribed.code

    def listen(self, reply: Callable[[], HostReply]) -> Host:
        """Let a host listen from now on: every event that is published goes there."""
        self.host = Host(reply)
        with self.sessions.begin() as session:
            destination_queries.add(session, HOST, now=self.now())
        return self.host

    @property
    def relays(self) -> Sequence[str]:
        """The ticks for what a host is told; none where none listens."""
        return () if self.host is None else (RELAY,)

    def deliver_everything(self) -> None:
        """Relay what is left, with what a worker that has died holds a lease on."""
        for _ in range(3):
            self.start_worker().tick(RELAY)
            self.run_until_idle(until=self.time + LEASE.total_seconds())
            self.run(until=self.time + LEASE.total_seconds())

    def close(self) -> None:
        event.remove(self.engine, "commit", self._on_commit)
        event.remove(self.engine, "after_cursor_execute", self._on_statement)
        self._coming.clear()
        for worker in self.workers:
            worker.loop.bury()
        self.sandbox.ledger.close()

    # --- where it can go wrong --------------------------------------------------------------------------------------

    def reach(self, worker: WorkerProcess | None, what: str) -> Fault | None:
        if worker is None or not worker.alive:
            return None
        point = Point(len(self.points), worker.name, what)
        self.points.append(point)
        fault = self.plan(point)
        if fault is not None:
            self.struck.append(f"{self.now():%m-%d %H:%M:%S} {fault} at {point}")
        return fault

    def _on_statement(self, _: Any, cursor: Any, statement: str, *__: Any) -> None:
        self._wrote = self._wrote or (cursor.rowcount > 0 and not statement.lstrip().startswith("SELECT"))

    def _on_commit(self, connection: Connection) -> None:
        wrote, self._wrote = self._wrote, False
        if self._current is None or not wrote:
            return  # a transaction that changed nothing: to die around it is to die before or after it
        self._strike(self.reach(self._current, f"database: {BEFORE_COMMIT}"))
        connection.connection.dbapi_connection.commit()  # type: ignore[union-attr] # it is there while it commits
        self._strike(self.reach(self._current, f"database: {AFTER_COMMIT}"))

    def _strike(self, fault: Fault | None) -> None:
        if fault is None or self._current is None:
            return
        if fault.kind is Kind.CRASH:
            raise Crash
        if fault.kind is Kind.LOSE_DATABASE:
            raise OperationalError("COMMIT", {}, DriverError("the connection was lost"))
        if fault.kind in STANDSTILLS:
            self._current.stand_still(fault)
        self.set_clocks(self._current, fault)

    def set_clocks(self, worker: WorkerProcess, fault: Fault) -> None:
        """Set the clock that a fault is about, if it is about one."""
        if fault.kind is Kind.SET_CLOCK:
            worker.wall_ahead += fault.seconds
        if fault.kind is Kind.SET_DATABASE_CLOCK:
            self.database_ahead += fault.seconds

    def sql(self, statement: str, **parameters: Any) -> Sequence[Any]:
        """Read from outside of the history. No transaction: the driver forgets every plan at a rollback."""
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            return connection.execute(text(statement), parameters).all()

    def change(self, statement: str, **parameters: Any) -> None:
        """Change the database from outside of the history."""
        with self.sessions.begin() as session:
            session.execute(text(statement), parameters)
