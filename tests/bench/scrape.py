"""What a scrape of the metrics costs in the database: `python -m tests.bench.scrape 40000 1000000 5000000`.

Each size is a book of its own, of the kinds that `tests.support.scale` makes: four in a hundred charges are open. Then
two in a hundred more have come due, as in the hour in which a day's charges do.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import psutil
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, text

from tests.bench.database_time import median_ms, rounds_of
from tests.bench.servers import running_bench
from tests.bench.sizes import SHORT
from tests.support import scale
from worker.database.engine import session_factory
from worker.metrics.readings import KINDS, Census, read, taken

ROUNDS = 9
AIM_MS = 50.0
"""What a scrape may take of the database's time."""

_BACKLOG = """
    INSERT INTO charges (subscription_id, period_start, period_end, amount, tax_free, currency, order_name, status,
                         status_at, queue, next_attempt_at, created_at)
    SELECT s.id, s.next_charge_at, s.next_charge_at + interval '30 days', 9900, 0, 'KRW', 'Plan', 'due', :now, k.pg,
           CAST(:now AS timestamptz) - interval '1 minute', :now
    FROM subscriptions s JOIN billing_keys k ON k.id = s.billing_key_id AND k.status = 'active'
    WHERE s.status = 'active' AND s.id % 50 = 2
"""

console = Console() if sys.stdout.isatty() else Console(width=120)


def main() -> None:
    """Measure each size, and print one row of each."""
    table = Table()
    for column in ("subscriptions", "", "scrape ms", "slowest statement", *(f"{kind} counts ms" for kind in KINDS)):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory(prefix="again-bench-") as name, running_bench(SHORT) as bench:
        Path(name).chmod(0o711)
        for size in map(int, sys.argv[1:]):
            with bench.database(parallel=False) as database:
                for row in _measured(database.engine, size):
                    table.add_row(f"{size:,}", *row)
    console.print(table)
    load, cores = psutil.getloadavg()[0], psutil.cpu_count()
    console.print(f"medians of {ROUNDS}; aim {AIM_MS:.0f} ms; load of the machine {load:.1f} on {cores} cores")


def _measured(engine: Engine, size: int) -> Iterator[list[str]]:
    now = datetime.now(UTC)
    scale.fill(engine, now=now, subscriptions=size)
    yield costs(engine, "nothing due", now)
    add_backlog(engine, now)
    yield costs(engine, "2% due", now)


def add_backlog(engine: Engine, now: datetime) -> None:
    """Let two in a hundred subscriptions have a charge that is due."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(_BACKLOG), {"now": now})


def costs(engine: Engine, what: str, now: datetime) -> list[str]:
    """Return what a scrape, its slowest statement, and each kind of counts cost."""
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))
    sessions = session_factory(engine)

    def count(kind: str) -> Census:
        with sessions() as session:
            return taken(session, kind, None, now=now, monotonic=perf_counter)

    censuses = {kind: count(kind) for kind in KINDS}

    def scrape() -> None:
        with sessions() as session:
            read(session, censuses, now=now)

    rounds = rounds_of(scrape, rounds=ROUNDS)
    shown = [median(each.ms for each in rounds), median(each.slowest_ms for each in rounds)]
    shown += [median_ms(partial(count, kind), rounds=ROUNDS) for kind in KINDS]
    return [what, *(f"{value:.1f}" for value in shown)]


if __name__ == "__main__":
    main()
