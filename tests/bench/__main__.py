"""Measure the pump against a bare client and against the obvious design, on real PostgreSQL and Valkey, in one run."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, text

from worker.config.settings import Settings
from worker.database import migrations
from worker.database.engine import create_database_engine
from worker.devstack.addresses import Addresses, running_servers
from worker.devstack.stack import Part, free_port, start_part

WINDOW = 1000
CHILDREN = 2  # of one Celery worker, each with its share of the concurrency limit
CHARGES = 15_000
OBVIOUS_CHARGES = 200
MEMORY_LIMIT_MIB = 300
CPU_LIMIT_MS = 2.0
RATIO_LIMIT = 0.85

console = Console()


class Usage:
    """Return CPU seconds and peak memory of a process and its children, by the operating system."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self.peak_mib = 0.0
        self._cpu: dict[int, float] = {}

    def sample(self) -> None:
        memory = 0.0
        for process in [self._root, *self._root.children(recursive=True)]:
            try:
                times = process.cpu_times()
                self._cpu[process.pid] = times.user + times.system
                memory += process.memory_full_info().pss / 2**20
            except psutil.NoSuchProcess:
                continue
        self.peak_mib = max(self.peak_mib, memory)

    @property
    def cpu_seconds(self) -> float:
        return sum(self._cpu.values())


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="again-bench-") as folder:
        Path(folder).chmod(0o711)  # as root, PostgreSQL runs as a user of its own
        settings = Settings.from_env(
            {"AGAIN_DATA_DIR": folder, "AGAIN_MAX_IN_FLIGHT": str(WINDOW // CHILDREN), "AGAIN_LOG_LEVEL": "WARNING"}
        )
        with running_servers(settings) as addresses:
            _bench(settings, addresses, Path(folder))


def _bench(settings: Settings, addresses: Addresses, folder: Path) -> None:
    engine = create_database_engine(addresses.database_url, actor="bench")
    migrations.upgrade(engine)
    port = free_port(9200)
    url = f"http://127.0.0.1:{port}"
    settings = settings.model_copy(update={"sandbox_url": url})
    more = {"AGAIN_DATABASE_URL": addresses.database_url, "AGAIN_BROKER_URL": addresses.broker_url}
    environment = settings.environment(**more, BENCH_BROKER_URL=addresses.broker_url)

    with _part("stub", ("-m", "tests.bench.portone_stub", str(port)), environment, folder):
        sleep(1)
        before = _bare(url)
        console.print(f"bare aiohttp client: {before['rate']:.0f}/s")
        pump = _pump(engine, environment, folder)
        console.print(f"the pump: {pump['rate']:.0f}/s")
        after = _bare(url)
        console.print(f"bare aiohttp client once more: {after['rate']:.0f}/s")
        # The machine's speed drifts; the limit is what it was around the pump's run.
        bare = {name: (before[name] + after[name]) / 2 for name in before}
        obvious = _obvious(engine, environment, folder, url, addresses)
        console.print(f"one task per charge, prefork: {obvious['rate']:.1f}/s")
    _report(bare, pump, obvious)


def _bare(url: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.bare_client", url, str(WINDOW), str(CHARGES)]
    result: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return result


def _pump(engine: Engine, environment: dict[str, str], folder: Path) -> dict[str, float]:
    _fill(engine, CHARGES)
    worker = ("-m", "celery", "-A", "worker.app", "worker", "-P", "prefork", "-c", str(CHILDREN), "-l", "WARNING")
    with _part("worker", worker, environment, folder) as part:
        usage = Usage(part.process.pid)
        _wait_for_worker(environment, "worker.app")
        usage.sample()
        before = usage.cpu_seconds
        for _ in range(CHILDREN):
            _call("worker.app", "again.charge", environment)
        _until_paid(engine, CHARGES, usage)
        cpu = usage.cpu_seconds - before
    return {"rate": _rate(engine), "cpu_ms": 1000 * cpu / CHARGES, "peak_mib": usage.peak_mib}


def _obvious(
    engine: Engine, environment: dict[str, str], folder: Path, url: str, addresses: Addresses
) -> dict[str, float]:
    _empty(engine)
    _fill(engine, OBVIOUS_CHARGES)
    from tests.bench.obvious import app

    app.conf.broker_url = addresses.broker_url
    worker = ("-m", "celery", "-A", "tests.bench.obvious", "worker", "-P", "prefork", "-c", "8", "-l", "WARNING")
    with engine.connect() as connection, _part("obvious", worker, environment, folder) as part:
        usage = Usage(part.process.pid)
        _wait_for_worker(environment, "tests.bench.obvious")
        usage.sample()
        before = usage.cpu_seconds
        for charge_id in connection.scalars(text("SELECT id FROM charges")).all():
            app.send_task(
                "obvious.charge", (charge_id, url, addresses.database_url.replace("postgresql:", "postgresql+psycopg:"))
            )
        connection.rollback()
        _until_paid(engine, OBVIOUS_CHARGES, usage)
        cpu = usage.cpu_seconds - before
    return {"rate": _rate(engine), "cpu_ms": 1000 * cpu / OBVIOUS_CHARGES, "peak_mib": usage.peak_mib}


def _fill(engine: Engine, count: int) -> None:
    """Insert `count` subscriptions with one due charge each straight into the tables."""
    now = datetime.now(UTC)
    with engine.begin() as connection:
        connection.execute(
            text("""
            WITH plan AS (
                INSERT INTO plans (code, name, amount, tax_free, currency, cadence, time_zone, charge_hour, trial_days,
                                   catch_up, dunning, created_at)
                VALUES ('bench', 'Bench', 9900, 0, 'KRW', 'month', 'Asia/Seoul', 10, 0, 'all', '1,3,5,7', :now)
                RETURNING id
            ), keys AS (
                INSERT INTO billing_keys (customer_uid, pg, label, status, status_at, created_at)
                SELECT 'bench-' || n, 'kakaopay', '', 'active', :now, :now FROM generate_series(1, :count) n
                RETURNING id
            ), subscribed AS (
                INSERT INTO subscriptions (code, customer_reference, plan_id, billing_key_id, status, status_at,
                                           anchor_on, next_charge_at, created_at)
                SELECT lpad(keys.id::text, 13, '0'), keys.id::text, plan.id, keys.id, 'active', :now, :now, :later, :now
                FROM keys, plan RETURNING id
            )
            INSERT INTO charges (subscription_id, period_start, period_end, amount, tax_free, currency, order_name,
                                 status, status_at, next_attempt_at, created_at)
            SELECT id, :start, :later, 9900, 0, 'KRW', 'Bench', 'due', :now, :start, :now FROM subscribed
            """),
            {"now": now, "count": count, "start": now.replace(microsecond=0), "later": now + timedelta(days=30)},
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE plans, billing_keys, subscriptions, charges"))


def _empty(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("SET LOCAL session_replication_role = replica")
        )  # bypasses the triggers that forbid deletes
        connection.execute(text("TRUNCATE plans, billing_keys, subscriptions, charges, attempts, audit CASCADE"))


def _until_paid(engine: Engine, count: int, usage: Usage) -> None:
    deadline = monotonic() + 300
    while monotonic() < deadline:
        usage.sample()
        with engine.connect() as connection:
            paid = connection.scalar(text("SELECT count(*) FROM charges WHERE status = 'paid'"))
        if paid == count:
            return
        sleep(0.5)
    raise SystemExit(f"only {paid} of {count} charges were paid after five minutes; see the worker's log")


def _rate(engine: Engine) -> float:
    """Return charges settled per second, from the first claim to the last write-back."""
    with engine.connect() as connection:
        count, seconds = connection.execute(
            text("SELECT count(*), extract(epoch FROM max(settled_at) - min(started_at)) FROM attempts")
        ).one()
    return float(count / seconds)


def _wait_for_worker(environment: dict[str, str], app: str) -> None:
    for _ in range(30):
        if b"pong" in _celery(app, "inspect", "ping", environment=environment).stdout:
            return
    raise SystemExit(f"the worker of {app} did not come up within 30 tries")


def _call(app: str, task: str, environment: dict[str, str]) -> None:
    _celery(app, "call", task, environment=environment)


def _celery(app: str, *arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "celery", "-A", app, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, check=False)


@contextmanager
def _part(name: str, command: tuple[str, ...], environment: dict[str, str], folder: Path) -> Iterator[Part]:
    part = start_part(name, (sys.executable, *command), environment, folder)
    try:
        yield part
    finally:
        part.stop()


def _report(bare: dict[str, float], pump: dict[str, float], obvious: dict[str, float]) -> None:
    console.print(f"\n{WINDOW} calls in flight, answers after 1 s, {CHARGES:,} charges:")
    table = Table()
    for column in ("", "per s", "ratio", "CPU ms", "MiB"):
        table.add_column(column, justify="left" if not column else "right")
    rows: list[tuple[str, dict[str, Any]]] = [
        ("bare aiohttp client, no database", bare),
        (f"Again: one Celery worker, {CHILDREN} pumps", pump),
        ("one Celery task per charge, prefork 8", obvious),
    ]
    for name, row in rows:
        memory = f"{row['peak_mib']:.0f}" if "peak_mib" in row else "-"
        table.add_row(name, f"{row['rate']:.1f}", f"{row['rate'] / bare['rate']:.3f}", f"{row['cpu_ms']:.2f}", memory)
    console.print(table)
    ratio = pump["rate"] / bare["rate"]
    times = pump["rate"] / obvious["rate"]
    console.print(f"ratio {ratio:.3f} (aim: at least {RATIO_LIMIT}), {times:.0f} times the obvious design")
    console.print(f"CPU {pump['cpu_ms']:.2f} ms per charge (aim: at most {CPU_LIMIT_MS})")
    console.print(f"memory {pump['peak_mib']:.0f} MiB (aim: under {MEMORY_LIMIT_MIB})")


if __name__ == "__main__":
    main()
