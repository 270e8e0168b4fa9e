"""Where a simulation is played: a PostgreSQL and a sandbox of its own in a temporary folder, which both go with it.

No setting is read from the environment, so that it can touch no database of the user's and no real PortOne.
"""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from worker.config.settings import Settings
from worker.database import migrations
from worker.database.clock import DatabaseClock
from worker.database.engine import WORKER_ACTOR
from worker.devstack.folder_lock import exclusive
from worker.devstack.servers import Postgres, remove_postgres
from worker.devstack.stack import free_port, start_part, wait_for
from worker.devstack.watchdog import Watchdog
from worker.runtime import Runtime
from worker.sandbox.http.client import SandboxAdmin
from worker.simulation import queries

SETTINGS = {
    # What these look for is compared at the end, payment by payment.
    "AGAIN_SWEEP_EVERY_SECONDS": str(366 * 86_400),
    "AGAIN_SWEEP_DAYS": "367",
    "AGAIN_LOG_LEVEL": "ERROR",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """What a simulation is played with."""

    folder: Path
    runtime: Runtime
    portone: SandboxAdmin


@contextmanager
def temporary_stage() -> Iterator[Stage]:
    """Start a PostgreSQL and a sandbox, and end both, even when this process is killed; only then does the folder stay.

    Raises NotAvailable without the extra `embedded`, and DidNotStart.
    """
    with ExitStack() as closing:
        name = tempfile.TemporaryDirectory(prefix="again-simulate-", ignore_cleanup_errors=True)
        folder = Path(closing.enter_context(name))
        lock = closing.enter_context(exclusive(folder / "lock", "again simulate"))
        guardian = Watchdog(folder, lock)
        closing.callback(guardian.dismiss)
        closing.callback(remove_postgres, folder / "postgres")
        postgres = Postgres(folder / "postgres")
        closing.callback(postgres.close)
        guardian.guard(postgres.pid, signal.SIGINT)  # its fast shutdown
        url = f"http://127.0.0.1:{free_port(0)}"
        settings = Settings.from_env({**SETTINGS, "AGAIN_SANDBOX_URL": url, "AGAIN_DATA_DIR": str(folder)})
        runtime = _runtime(settings, postgres.url)
        closing.callback(runtime.close)
        yield Stage(folder, runtime, closing.enter_context(_sandbox(settings, guardian, folder, url)))


def _runtime(settings: Settings, database_url: str) -> Runtime:
    clock = DatabaseClock(tell=lambda _: None, follows_turns=True)
    runtime = Runtime.create(settings, database_url, actor=f"{WORKER_ACTOR}simulation", clock=clock)
    with runtime.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in queries.NO_FLUSHING:
            connection.execute(text(statement))
    migrations.upgrade(runtime.engine)
    runtime.sync_clock()
    return runtime


@contextmanager
def _sandbox(settings: Settings, guardian: Watchdog, folder: Path, url: str) -> Iterator[SandboxAdmin]:
    port, ledger = url.rpartition(":")[2], str(folder / "sandbox.sqlite")
    command = (sys.executable, "-m", "worker.cli", "sandbox", "--port", port, "--ledger", ledger)
    part = start_part("sandbox", command, settings.environment(), folder, url=url)
    try:
        guardian.guard(part.process.pid)
        wait_for(part, "/_sandbox/health")
        with SandboxAdmin(url) as portone:
            yield portone
    finally:
        part.stop()
