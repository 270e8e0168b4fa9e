"""The servers of one run of the benchmark, a database for each part, and the processes that it starts and ends."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection
from time import monotonic, sleep
from typing import Any

import psutil
import redis
from celery import Celery
from sqlalchemy import Engine, make_url, text

from tests.bench.book import Book
from tests.bench.sizes import Sizes
from worker.app import QUEUE
from worker.config.settings import Settings
from worker.database import migrations
from worker.database.engine import create_database_engine
from worker.devstack.addresses import embedded_servers
from worker.devstack.stack import Part, free_port, last_lines, start_part

ACTOR = "worker bench"
"""What connections are called: what a worker does and what an operator does is not audited alike."""

NO_LIMITS = {
    "AGAIN_MAX_RUN_CHARGES": "100000000",
    "AGAIN_MAX_RUN_SUM": "1000000000000",
    "AGAIN_MAX_DAY_CHARGES": "100000000",
    "AGAIN_MAX_DAY_SUM": "1000000000000",
}
"""The charge limits as a company sets them that has as many customers as the benchmark."""


@dataclass(frozen=True, slots=True)
class Database:
    """One database of a part, migrated and empty at first."""

    url: str
    engine: Engine


class Bench:
    """The servers of one run, and what parts start on them."""

    def __init__(
        self, sizes: Sizes, folder: Path, *, admin: Engine, database_url: str, broker_url: str, pid: int
    ) -> None:
        self.sizes = sizes
        self.folder = folder
        self.postgres_pid = pid
        self._admin, self._database_url, self._broker_url = admin, database_url, broker_url
        self._count = 0
        self._kept = ExitStack()
        self._large: tuple[Database, Book] | None = None

    def large(self) -> tuple[Database, Book]:
        """Return a database with many subscriptions and a paid charge of each; made once and kept for other parts."""
        if self._large is None:
            database = self._kept.enter_context(self.database(parallel=False))
            book = Book(database.engine)
            book.subscribe(self.sizes.subscriptions, history=True)
            book.analyse()
            self._large = database, book
        self._large[1].work()
        return self._large

    @property
    def has_large(self) -> bool:
        """Return whether the large database was made by now."""
        return self._large is not None

    def close(self) -> None:
        """Drop what was kept."""
        self._kept.close()

    @contextmanager
    def database(self, *, parallel: bool = True) -> Iterator[Database]:
        """Make a database that lasts as long as this, and empty the broker: its messages are about another one.

        Without `parallel` plans one process does all the work of a statement, so that it can be measured.
        """
        self._count += 1
        name = f"bench_{self._count}"
        self._execute(f"CREATE DATABASE {name}")
        if not parallel:
            self._execute(f"ALTER DATABASE {name} SET max_parallel_workers_per_gather = 0")
        url = make_url(self._database_url).set(database=name).render_as_string(hide_password=False)
        engine = create_database_engine(url, actor=ACTOR)
        try:
            migrations.upgrade(engine)
            with redis.Redis.from_url(self._broker_url) as broker:
                broker.flushall()
            yield Database(url, engine)
        finally:
            engine.dispose()
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def no_autovacuum(self) -> Iterator[None]:
        """Keep statistics as they are for as long as this lasts."""
        self._execute("ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()")
        try:
            yield
        finally:
            self._execute("ALTER SYSTEM RESET autovacuum", "SELECT pg_reload_conf()")

    def _execute(self, *statements: str) -> None:
        with self._admin.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def settings(self, *, portone_url: str, **variables: str) -> Settings:
        """Return settings that a user could have, with `variables` besides."""
        given = {"AGAIN_DATA_DIR": str(self.folder), "AGAIN_LOG_LEVEL": "INFO", "AGAIN_SANDBOX_URL": portone_url}
        return Settings.from_env({**given, **variables})

    def environment(self, database: Database, *, portone_url: str, **variables: str) -> dict[str, str]:
        """Return the environment of a process that works with this database."""
        settings = self.settings(portone_url=portone_url, **variables)
        return settings.environment(
            AGAIN_DATABASE_URL=database.url, AGAIN_BROKER_URL=self._broker_url, BENCH_BROKER_URL=self._broker_url
        )

    @contextmanager
    def portone(self, *, latency: float = 1.0) -> Iterator[str]:
        """Run a stub of PortOne, and yield its URL."""
        port = free_port(9200)
        command = ("-m", "tests.bench.portone_stub", str(port), str(latency))
        with self.process("portone", command, self.settings(portone_url="http://127.0.0.1:1").environment()) as part:
            _until_open(port, part)
            yield f"http://127.0.0.1:{port}"

    @contextmanager
    def hook(self) -> Iterator[str]:
        """Run an endpoint of webhooks that answers after 50 ms, and yield its URL."""
        port = free_port(9300)
        command = ("-m", "tests.bench.hook_stub", str(port))
        with self.process("hook", command, self.settings(portone_url="http://127.0.0.1:1").environment()) as part:
            _until_open(port, part)
            yield f"http://127.0.0.1:{port}"

    @contextmanager
    def process(self, name: str, arguments: tuple[str, ...], environment: Mapping[str, str]) -> Iterator[Part]:
        """Run a Python process for as long as this lasts; then it and all its children are killed."""
        part = start_part(name, (sys.executable, *arguments), environment, self.folder)
        try:
            yield part
        finally:
            _kill(part)

    @contextmanager
    def workers(
        self,
        environment: Mapping[str, str],
        *,
        count: int = 1,
        children: int,
        app: str = "worker.app",
        more: tuple[str, ...] = (),
    ) -> Iterator[list[Part]]:
        """Run Celery workers that are ready."""
        with ExitStack() as stack:
            parts = []
            for number in range(count):
                name = f"worker{number}"
                (self.folder / f"{name}.log").unlink(missing_ok=True)
                words = ("-m", "celery", "-A", app, "worker", "-P", "prefork", "-c", str(children))
                arguments = (*words, "-n", f"{name}@bench", "--without-gossip", "--without-mingle", *more)
                parts.append(stack.enter_context(self.process(name, arguments, environment)))
            self._until_ready(parts)
            yield parts

    def _until_ready(self, parts: list[Part]) -> None:
        with self._celery() as app:
            for _ in range(60):
                if len(app.control.ping(timeout=0.5)) >= len(parts):
                    return
                if ended := [part for part in parts if part.ended is not None]:
                    raise SystemExit(f"{ended[0].name} has ended: {last_lines(ended[0].log)}")
        raise SystemExit(f"workers did not come up: {last_lines(parts[0].log)}")

    def call(self, task: str, *, times: int = 1) -> None:
        """Send ticks of one task."""
        with self._celery() as app:
            for _ in range(times):
                app.send_task(task)

    @contextmanager
    def _celery(self) -> Iterator[Celery]:
        app = Celery("bench", broker=self._broker_url, set_as_current=False)
        app.conf.task_default_queue = QUEUE
        try:
            yield app
        finally:
            app.close()


def printed(arguments: tuple[str, ...], environment: Mapping[str, str]) -> dict[str, Any]:
    """Run a Python process to its end, and return the JSON of the last line that it has printed."""
    done = subprocess.run([sys.executable, *arguments], env=dict(environment), capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)} failed: {done.stderr.decode()[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _until_open(port: int, part: Part) -> None:
    deadline = monotonic() + 20
    while monotonic() < deadline and part.ended is None:
        try:
            create_connection(("127.0.0.1", port)).close()
        except OSError:
            sleep(0.05)
        else:
            return
    raise SystemExit(f"{part.name} did not start: {last_lines(part.log)}")


def _kill(part: Part) -> None:
    try:
        children = psutil.Process(part.process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        children = []
    part.process.kill()
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    part.process.wait()


@contextmanager
def running_bench(sizes: Sizes) -> Iterator[Bench]:
    """Start PostgreSQL and Valkey as `again up` does, in a folder that is deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="again-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # as root, PostgreSQL runs as a user of its own
        settings = Settings.from_env({"AGAIN_DATA_DIR": name})
        with embedded_servers(settings) as servers:
            assert servers.postgres is not None
            urls = servers.addresses
            admin = create_database_engine(urls.database_url, actor="bench").execution_options(
                isolation_level="AUTOCOMMIT"
            )
            bench = Bench(
                sizes,
                folder,
                admin=admin,
                database_url=urls.database_url,
                broker_url=urls.broker_url,
                pid=servers.postgres.pid,
            )
            try:
                yield bench
            finally:
                bench.close()
                admin.dispose()
