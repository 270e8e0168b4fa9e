"""What starting costs: CPU of an import and of a command, and the memory of a worker that has nothing to do."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from time import monotonic, sleep

import psutil
from celery import Celery

from schedules.beat import beat_table
from worker.app import QUEUE
from worker.config.settings import Settings
from worker.database import migrations
from worker.database.engine import create_database_engine
from worker.devstack.addresses import running_servers
from worker.devstack.stack import start_part

ROUNDS = 3
CHILDREN = 3
TICKS = 12  # of each kind: so many that every child has run each several times
NOBODY = "http://127.0.0.1:1"
PATIENCE = 120.0  # seconds


def measure_startup() -> dict[str, float]:
    """Return CPU seconds of `import worker.app` and `again status`, and MiB of PSS of an idle worker of three.

    The worker is measured when it is ready, and once more when its children have run each tick of beat's table. With a
    command: `python -m tests.bench.startup`.
    """
    with tempfile.TemporaryDirectory(prefix="again-startup-") as folder:
        Path(folder).chmod(0o711)  # as root, PostgreSQL runs as a user of its own
        settings = Settings.from_env(
            {"AGAIN_DATA_DIR": folder, "AGAIN_SANDBOX_URL": NOBODY, "AGAIN_LOG_LEVEL": "WARNING"}
        )
        with running_servers(settings) as addresses:
            engine = create_database_engine(addresses.database_url, actor="worker bench")
            migrations.upgrade(engine)
            engine.dispose()
            environment = settings.environment(
                AGAIN_DATABASE_URL=addresses.database_url, AGAIN_BROKER_URL=addresses.broker_url
            )
            # As installed: no process compiles what it imports.
            environment["PYTHONPYCACHEPREFIX"] = str(Path(folder) / "bytecode")
            environment.pop("PYTHONDONTWRITEBYTECODE", None)
            return {
                "import_cpu_s": _cpu_seconds(("-c", "import worker.app"), environment),
                "status_cpu_s": _cpu_seconds(("-m", "worker.cli", "status"), environment),
                **_idle_worker(addresses.broker_url, environment, Path(folder)),
            }


def _cpu_seconds(arguments: tuple[str, ...], environment: Mapping[str, str]) -> float:
    """Return the median of some runs, after one that fills the caches."""
    used = []
    for _ in range(1 + ROUNDS):
        before = os.times()
        subprocess.run([sys.executable, *arguments], env=environment, check=True, capture_output=True)
        after = os.times()
        used.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return round(median(used[1:]), 3)


def _idle_worker(broker_url: str, environment: dict[str, str], folder: Path) -> dict[str, float]:
    worker = ("-m", "celery", "-A", "worker.app", "worker", "-P", "prefork", "-c", str(CHILDREN), "-l", "WARNING")
    part = start_part("worker", (sys.executable, *worker), environment, folder)
    try:
        app = Celery(broker=broker_url)
        _until_done(app, 0)
        at_start = _pss_mib(part.process.pid)
        for _ in range(TICKS):
            for entry in beat_table():
                app.send_task(entry.task, queue=QUEUE)
        _until_done(app, TICKS * len(beat_table()))
        return {"pss_at_start_mib": at_start, "pss_after_ticks_mib": _pss_mib(part.process.pid)}
    finally:
        part.stop()


def _until_done(app: Celery, ticks: int) -> None:
    """Wait until the worker has taken so many ticks and runs none."""
    deadline = monotonic() + PATIENCE
    while monotonic() < deadline:
        inspect = app.control.inspect(timeout=2.0)
        told, running = inspect.stats(), inspect.active()
        if told and running:
            taken = sum(sum(each["total"].values()) for each in told.values())
            if taken >= ticks and not any(running.values()):
                return
        sleep(0.5)
    raise SystemExit(f"the worker has not run {ticks} ticks within {PATIENCE:.0f} s; see its log")


def _pss_mib(pid: int) -> float:
    """Return what a process and its descendants hold, what they share counted once."""
    root = psutil.Process(pid)
    return round(sum(each.memory_full_info().pss for each in (root, *root.children(recursive=True))) / 2**20, 1)


if __name__ == "__main__":
    print(measure_startup())
