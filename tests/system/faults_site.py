"""Where a fault run takes place: servers and processes of its own, and what their ledger and database record."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import text

from tests.support.arrivals import Told
from tests.system.conftest import Site
from tests.system.faults_host import FaultHost, fault_host
from tests.system.faults_servers import CrashingPostgres, ForgetfulValkey, Sandbox, family, thaw
from worker.config.settings import Settings
from worker.database import migrations
from worker.database.engine import create_database_engine, session_factory
from worker.devstack.stack import Part, last_lines, start_part
from worker.domain.events.types import EventType
from worker.sandbox.http.client import SandboxAdmin
from worker.sandbox.store.reports import AGAIN

VARIABLES = {
    "AGAIN_TICK_SECONDS": "3",  # what waits in a broker for longer than three ticks expires: time for a busy machine
    "AGAIN_MAX_IN_FLIGHT": "3",  # through each of two PGs: the charges must last for all faults
    "AGAIN_PUMP_SECONDS": "3",
    "AGAIN_CONNECT_TIMEOUT_SECONDS": "1",
    "AGAIN_READ_TIMEOUT_SECONDS": "2",
    "AGAIN_WRITE_BACK_SECONDS": "2",
    "AGAIN_QUIET_PERIOD_SECONDS": "11",
    "AGAIN_LOOKUP_BACKOFF_SECONDS": "2,4,6,8,10,12,14,16,18,20,25,30,40,50,60,90,120",
    "AGAIN_NOT_CHARGED_DELAY_SECONDS": "1",
    "AGAIN_TRANSIENT_DELAY_SECONDS": "1",
}
PATIENCE_SECONDS = 300.0
"""For any recovery: each takes seconds, and on a machine with ten times as much to do, ten times as long."""

PASSWORD = "perch-and-jess"
"""Stands in the database's address, and must never be printed."""

# By whom an attempt was sent last: by its maker, or by the worker that has sent it again since.
_SENT_BY = """COALESCE((
    SELECT actor FROM audit WHERE entity = 'attempt' AND entity_id = a.id AND to_status = 'started'
        AND from_status IS NOT NULL
    ORDER BY id DESC LIMIT 1), a.created_by) = ANY(:actors)"""
_CLAIMED_BY = f"SELECT count(*) FROM attempts a WHERE a.started_at > :after AND {_SENT_BY}"
_OPEN_OF = f"SELECT count(*) FROM attempts a WHERE a.status = 'started' AND {_SENT_BY}"
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass
class FaultSite(Site):
    """A site whose every part may be struck. Like a supervisor, it replaces a process that has ended."""

    postgres: CrashingPostgres = field(kw_only=True)
    broker: ForgetfulValkey = field(kw_only=True)
    sandbox: Sandbox = field(kw_only=True)
    host: FaultHost = field(kw_only=True)
    workers: list[Part] = field(default_factory=list)
    beats: list[Part] = field(default_factory=list)
    struck_at: float = 0.0
    """When the last fault really struck, by the monotonic clock; before that, the right moment may be waited for."""
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def start(self, name: str, *command: str, app: str = "tests.system.faults_app") -> Part:
        environment = self.settings.environment(
            AGAIN_DATABASE_URL=self.database_url,
            AGAIN_BROKER_URL=self.broker_url,
            PYTHONPATH=str(Path(__file__).parents[2]),
        )
        part = start_part(name, (sys.executable, "-m", "celery", "-A", app, *command), environment, self.logs)
        self.parts.append(part)
        return part

    def add_worker(self, *, app: str = "tests.system.faults_app") -> Part:
        name = f"worker{next(self._numbers)}"
        words = ("-P", "prefork", "-c", "2", "-l", "INFO", "-n", f"{name}@%h", "--without-gossip", "--without-mingle")
        return self.start(name, "worker", *words, app=app)

    def add_beat(self) -> Part:
        name = f"beat{next(self._numbers)}"
        return self.start(name, "beat", "-l", "INFO")

    def until(self, what: str, reached: Callable[[], bool], *, patience: float = PATIENCE_SECONDS) -> None:
        """Wait until something is true; meanwhile the host's supervisor looks after its worker."""

        def looked() -> bool:
            self.host.replace_ended_worker()
            return reached()

        super().until(what, looked, patience=patience)

    def state(self) -> str:
        """Return how things stand, for a wait that was too long to be judged by."""
        untold = {table: self.value(f"SELECT count(*) FROM {table}") for table in ("outbox", "deliveries")}
        unseen = len({event.id for event in self.events()} - self.host.seen())
        parts = [f"{part.name}: {last_lines(part.log, 5)}" for part in self.host.parts.values()]
        return "\n".join((f"{untold}, not seen by the host's worker: {unseen}", *parts, super().state()))

    # --- what the ledger tells --------------------------------------------------------------------------------------

    def paid(self) -> int:
        return self.portone.report().charges

    def newest_request(self, after: int = 0) -> int:
        return max((request["number"] for request in self.portone.requests(after=after)), default=after)

    def paid_since(self, request: int) -> bool:
        """Return whether a request that arrived after this one has moved money."""
        later = self.portone.requests(after=request, endpoint=AGAIN)
        return any(each["result"] == "charged" for each in later)

    # --- what the database tells ------------------------------------------------------------------------------------

    def value(self, sql: str, **values: Any) -> Any:
        with self.sessions() as session:
            return session.scalar(text(sql), values)

    def newest_audit(self) -> int:
        return int(self.value("SELECT coalesce(max(id), 0) FROM audit"))

    def last_claim(self) -> datetime:
        """Return when an attempt was last sent."""
        at: datetime = self.value("SELECT max(started_at) FROM attempts") or LONG_AGO
        return at

    def noted(self, reason: str, after: int) -> int:
        """Return the number of attempts that got a status for a reason since."""
        sql = "SELECT count(*) FROM audit WHERE entity = 'attempt' AND reason = :reason AND id > :after"
        return int(self.value(sql, reason=reason, after=after))

    def claimed_by(self, actors: list[str], after: datetime = LONG_AGO) -> int:
        return int(self.value(_CLAIMED_BY, actors=actors, after=after))

    def open_of(self, actors: list[str]) -> int:
        """Return the number of attempts that were claimed by these and are not settled."""
        return int(self.value(_OPEN_OF, actors=actors))

    def said(self, words: bytes) -> int:
        """Return how often a text is in the logs of all parts."""
        return sum(part.log.read_bytes().count(words) for part in self.parts)

    def events(self) -> Sequence[Told]:
        """Return every event that was published, in their order."""
        with self.sessions() as session:
            rows = session.execute(text("SELECT position, id, type, data FROM events ORDER BY position"))
            return [Told(position=row.position, id=row.id, type=EventType(row.type), data=row.data) for row in rows]

    def all_is_told(self) -> bool:
        """Return whether every change has been told to the host's endpoint, and to its worker."""
        if self.value("SELECT EXISTS (SELECT FROM outbox) OR EXISTS (SELECT FROM deliveries)"):
            return False
        return {event.id for event in self.events()} <= self.host.seen()

    # --- the end ----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End everything as an operator would, all at once, and bring the database's log to the others."""
        for part in self.parts:
            thaw(part)
        self.stop()
        shutil.copy(self.postgres.log, self.logs / "postgres.log")


def actors(part: Part) -> list[str]:
    """Return the names of a worker's current processes, as in the audit."""
    return [f"worker {socket.gethostname()}:{process.pid}" for process in family(part)]


@contextmanager
def fault_site(folder: Path, **more: str) -> Iterator[FaultSite]:
    """Start servers of this run's own in a folder that PostgreSQL's user can enter; `more` are other settings."""
    logs = folder / "logs"
    logs.mkdir()
    with ExitStack() as closing:
        postgres = CrashingPostgres(folder / "postgres")
        closing.callback(postgres.close)
        broker = ForgetfulValkey(logs)
        closing.callback(broker.close)
        sandbox = Sandbox(folder / "ledger.sqlite", logs)
        closing.callback(sandbox.close)
        portone = closing.enter_context(SandboxAdmin(sandbox.base_url))
        engine = create_database_engine(postgres.url, actor="test")
        closing.callback(engine.dispose)
        migrations.upgrade(engine)
        url = postgres.url.replace("postgres:@", f"postgres:{PASSWORD}@")
        host = closing.enter_context(fault_host(folder / "host", url))
        settings = Settings.from_env({**VARIABLES, **host.variables, "AGAIN_SANDBOX_URL": sandbox.base_url, **more})
        site = FaultSite(
            settings,
            url,
            broker.url,
            session_factory(engine),
            portone,
            logs,
            postgres=postgres,
            broker=broker,
            sandbox=sandbox,
            host=host,
        )
        closing.callback(site.close)
        host.listen(site.sessions)
        yield site
