"""Real processes: Celery workers and beat, started and stopped as an operator would."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

import pytest
import redis
from sqlalchemy import text

from tests.support.book import Book
from tests.support.sandbox import running_sandbox
from worker.config.settings import Settings
from worker.database.engine import Sessions
from worker.demo.comparison import Comparison, compare
from worker.devstack.stack import Part, last_lines, start_part
from worker.sandbox.http.client import SandboxAdmin
from worker.sandbox.rules.behaviours import Behaviour

VARIABLES = {
    "AGAIN_TICK_SECONDS": "1",
    "AGAIN_MAX_IN_FLIGHT": "50",
    "AGAIN_CONNECT_TIMEOUT_SECONDS": "1",
    "AGAIN_READ_TIMEOUT_SECONDS": "2",
    "AGAIN_WRITE_BACK_SECONDS": "2",
    "AGAIN_QUIET_PERIOD_SECONDS": "11",
    "AGAIN_LOOKUP_BACKOFF_SECONDS": "2,4,6,8,10,12,15,20,30,60",
    "AGAIN_NOT_CHARGED_DELAY_SECONDS": "1",
}

PROCESSES = 2
"""Children of each worker."""


@dataclass
class Site:
    """A database, a broker and a sandbox, and the processes that the test starts between them."""

    settings: Settings
    database_url: str
    broker_url: str
    sessions: Sessions
    portone: SandboxAdmin
    logs: Path
    parts: list[Part] = field(default_factory=list)
    book: Book | None = None

    def start(self, name: str, *command: str) -> Part:
        environment = self.settings.environment(
            AGAIN_DATABASE_URL=self.database_url, AGAIN_BROKER_URL=self.broker_url, FLOWER_UNAUTHENTICATED_API="true"
        )
        part = start_part(name, (sys.executable, "-m", "celery", "-A", "worker.app", *command), environment, self.logs)
        self.parts.append(part)
        return part

    def start_worker(self, name: str = "worker") -> Part:
        quiet = ("--without-gossip", "--without-mingle")
        return self.start(
            name, "worker", "-P", "prefork", "-c", str(PROCESSES), "-l", "INFO", "-n", f"{name}@%h", *quiet
        )

    def start_beat(self, name: str = "beat") -> Part:
        return self.start(name, "beat", "-l", "INFO")

    def subscribe(self, *stories: tuple[int, tuple[Behaviour, ...]]) -> int:
        """Make `count` due subscriptions per story; returns the total."""
        now, total = datetime.now(UTC), 0
        if self.book is None:
            self.book = Book(self.sessions)
            self.book.plan(now=now, charge_hour="0")
        for count, story in stories:
            for _ in range(count):
                subscribed = self.book.subscribe(now=now)
                self.portone.create_key(subscribed.customer_uid, *story)
                total += 1
        return total

    def stop(self) -> None:
        """Ask every process to end, all at once, and wait for it."""
        with ThreadPoolExecutor() as side_by_side:
            list(side_by_side.map(lambda part: part.stop(patience=20), self.parts))

    def statuses(self) -> Counter[str]:
        with self.sessions() as session:
            rows = session.execute(text("SELECT status, count(*) AS charges FROM charges GROUP BY status"))
            return Counter({row.status: row.charges for row in rows})

    def open_attempts(self) -> Counter[str]:
        with self.sessions() as session:
            rows = session.execute(text("SELECT status, count(*) AS n FROM attempts GROUP BY status"))
            return Counter({row.status: row.n for row in rows if row.status in {"started", "unknown"}})

    def until(self, what: str, reached: Callable[[], bool], *, patience: float = 60.0) -> None:
        """Wait until something is true."""
        deadline = monotonic() + patience
        while not reached():
            if monotonic() > deadline:
                pytest.fail(f"not within {patience} s: {what}; {self.state()}")
            sleep(0.05)

    def state(self) -> str:
        """Return how things stand, for a wait that was too long to be judged by."""
        ended = [f"{part.name} ({part.ended})" for part in self.parts if part.ended is not None]
        logs = (f"{part.name}: {last_lines(part.log, 5)}" for part in self.parts)
        return "\n".join((f"charges {self.statuses()}, attempts {self.open_attempts()}, ended: {ended}", *logs))

    def comparison(self) -> Comparison:
        with self.sessions() as session:
            return compare(session, self.portone.charges())


@pytest.fixture
def site(database_url: str, valkey: str, sessions: Sessions, server_folder: Path, tmp_path: Path) -> Iterator[Site]:
    with redis.Redis.from_url(valkey) as broker:
        broker.flushall()
    with running_sandbox(tmp_path / "ledger.sqlite") as sandbox:
        settings = Settings.from_env({**VARIABLES, "AGAIN_SANDBOX_URL": sandbox.base_url})
        site = Site(settings, database_url, valkey, sessions, sandbox.admin, tmp_path)
        yield site
        site.stop()


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that PostgreSQL's own user may enter, as under a home or a checkout."""
    with tempfile.TemporaryDirectory(prefix="again-newcomer-") as name:
        Path(name).chmod(0o711)
        yield Path(name)
