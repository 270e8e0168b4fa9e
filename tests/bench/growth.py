"""What one paid charge costs PostgreSQL: processor time, WAL and bytes, by the real statements.

    python -m tests.bench.growth [subscriptions] [months]

Each month every subscription is charged once, and the tables are vacuumed by hand, as autovacuum would by their
settings. What tables and indexes take per charge after the last month is what a month adds: what earlier months have
left free is used again, or it shows. Then everything is archived, and another month is charged.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, text

from tests.support.attempts import POLICY
from worker.charging.open_due import open_due_charges
from worker.config.logs import log_errors_only
from worker.database import migrations
from worker.database.engine import Sessions, create_database_engine, session_factory
from worker.devstack.addresses import Postgres
from worker.domain.attempt import Attempt
from worker.domain.outcomes import Answer, Paid
from worker.domain.settlement import settle
from worker.ledger.archive import archive
from worker.ledger.claiming import claim
from worker.ledger.write_back import write_back
from worker.portone.payloads import read_payment

BATCH = 200
VACUUMED = 5_000
"""Charges after which the tables are vacuumed: the share of dead rows that autovacuum allows, in a small table."""

MONTH = timedelta(days=31)
TABLES = ("charges", "attempts", "audit", "subscriptions", "archived_answers")

console = Console()

SUBSCRIBE = text("""
    WITH plan AS (
        INSERT INTO plans (code, name, amount, tax_free, currency, cadence, time_zone, charge_hour, trial_days,
                           catch_up, dunning, created_at)
        VALUES ('bench', 'Bench', 9900, 0, 'KRW', 'month', 'Asia/Seoul', 10, 0, 'all', '1,3,5,7', :now)
        RETURNING id
    ), keys AS (
        INSERT INTO billing_keys (customer_uid, pg, label, status, status_at, created_at)
        SELECT 'bench-' || n, 'kakaopay', '', 'active', :now, :now FROM generate_series(1, :count) n
        RETURNING id
    )
    INSERT INTO subscriptions (code, customer_reference, plan_id, billing_key_id, status, status_at, anchor_on,
                               next_charge_at, created_at)
    SELECT lpad(keys.id::text, 13, '0'), keys.id::text, plan.id, keys.id, 'active', :now, :now, :now, :now
    FROM keys, plan
""")

_SIZES = text("""
    SELECT t.name, pg_table_size(r.oid) AS rows, pg_indexes_size(r.oid) AS indexes
    FROM unnest(CAST(:tables AS text[])) AS t(name)
    JOIN pg_class r ON r.relkind = 'r' AND (r.relname = t.name OR r.oid IN (
        SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = CAST(t.name AS regclass)))
""")


Sizes = dict[str, tuple[int, int]]
"""By table, the bytes of its rows and of its indexes."""


@dataclass
class Measured:
    """What charges cost: milliseconds of a backend and bytes of WAL by step, and bytes by table from time to time."""

    charges: int = 0
    cpu_ms: dict[str, float] = field(default_factory=dict)
    wal: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, tuple[int, Sizes]] = field(default_factory=dict)


def main() -> None:
    count, months = (int(given) for given in (*sys.argv[1:], *("20000", "3")[len(sys.argv) - 1 :]))
    log_errors_only()
    with database() as engine:
        now = datetime.now(UTC).replace(microsecond=0)
        with engine.begin() as connection:
            connection.execute(SUBSCRIBE, {"now": now, "count": count})
        analyze(engine)
        empty, measured = sizes(engine), Measured()
        for month in range(months):
            charge_all(engine, measured, count, now=now + month * MONTH)
            grown(measured, empty, sizes(engine), f"after {month + 1} months")
        report(measured)
        for _ in archive(session_factory(engine), before=now + months * MONTH, reason="bench", now=now):
            pass
        analyze(engine)
        grown(measured, empty, sizes(engine), "archived")
        charge_all(engine, measured, count, now=now + months * MONTH)
        grown(measured, empty, sizes(engine), "archived, and a month more")
        report_sizes(measured)


@contextmanager
def database() -> Iterator[Engine]:
    """Return an engine of a worker's for a migrated database of its own."""
    with tempfile.TemporaryDirectory(prefix="again-bench-") as folder:
        Path(folder).chmod(0o711)  # as root, PostgreSQL runs as a user of its own
        server = Postgres(Path(folder) / "postgres")
        engine = create_database_engine(server.url, actor="worker bench:1")
        try:
            migrations.upgrade(engine)
            yield engine
        finally:
            engine.dispose()
            server.close()


def charge_all(engine: Engine, measured: Measured, count: int, *, now: datetime) -> None:
    """Open, claim and settle one charge for each of `count` subscriptions, and vacuum as autovacuum does."""
    sessions = session_factory(engine)
    with _step(engine, measured, "open"):
        open_due_charges(sessions, now=now, limit=12)
    analyze(engine)
    for batch in range(0, count, BATCH):
        with _step(engine, measured, "claim"), sessions.begin() as session:
            attempts = claim(session, now=now, limit=BATCH, lease=timedelta(minutes=2), prefix="bench")
        with _step(engine, measured, "settle"):
            pay(sessions, attempts, now=now)
        if (batch + BATCH) % VACUUMED == 0:
            analyze(engine)
    analyze(engine)
    measured.charges += count


def grown(measured: Measured, empty: Sizes, now: Sizes, when: str) -> None:
    """Note what the tables have grown by."""
    measured.sizes[when] = (
        measured.charges,
        {name: (rows - empty[name][0], indexes - empty[name][1]) for name, (rows, indexes) in now.items()},
    )


def pay(sessions: Sessions, attempts: list[Attempt], *, now: datetime) -> None:
    """Settle attempts as paid, with an answer of the size of PortOne's."""
    write_back(
        sessions, [settle(each, Paid(now, _answer(each, now)), now=now, policy=POLICY) for each in attempts], now=now
    )


def analyze(engine: Engine) -> None:
    """Vacuum and analyze what is measured."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"VACUUM ANALYZE billing_keys, {', '.join(TABLES)}"))


def sizes(engine: Engine) -> Sizes:
    """Return by table the bytes of its rows and of its indexes, partitions included."""
    found = dict.fromkeys(TABLES, (0, 0))
    with engine.connect() as connection:
        for row in connection.execute(_SIZES, {"tables": list(TABLES)}):
            rows, indexes = found[row.name]
            found[row.name] = (rows + row.rows, indexes + row.indexes)
    return found


@contextmanager
def _step(engine: Engine, measured: Measured, name: str) -> Iterator[None]:
    """Add to a step what it costs the server, by processor time of its backends: only this process has any."""
    with engine.connect() as connection:
        (pid, lsn) = connection.execute(text("SELECT pg_backend_pid(), pg_current_wal_insert_lsn()")).one()
    cpu = _cpu(pid)
    yield
    measured.cpu_ms[name] = measured.cpu_ms.get(name, 0) + 1000 * (_cpu(pid) - cpu)
    with engine.connect() as connection:
        wal = connection.scalar(
            text("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), CAST(:lsn AS pg_lsn))"), {"lsn": lsn}
        )
    measured.wal[name] = measured.wal.get(name, 0) + int(wal)


def _cpu(pid: int) -> float:
    """Return the processor seconds of a backend: by the scheduler, as the usual count has ticks of ten milliseconds."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _answer(attempt: Attempt, now: datetime) -> Answer:
    """Return what PortOne answers to a charge that KakaoPay has paid, with every field that is kept."""
    request = attempt.request
    record = read_payment(
        {
            "imp_uid": f"imps_{request.merchant_uid[-12:]}",
            "merchant_uid": request.merchant_uid,
            "name": request.name,
            "status": "paid",
            "amount": request.amount,
            "cancel_amount": 0,
            "currency": "KRW",
            "pay_method": "point",
            "channel": "api",
            "pg_provider": request.pg,
            "emb_pg_provider": None,
            "pg_tid": f"T{attempt.id:019d}",
            "pg_id": "CT30000001",
            "customer_uid_usage": "payment",
            "card_code": None,
            "card_name": None,
            "card_quota": 0,
            "card_type": None,
            "started_at": int(now.timestamp()),
            "paid_at": int(now.timestamp()),
            "failed_at": 0,
            "cancelled_at": 0,
            "fail_reason": None,
            "cancel_reason": None,
        }
    )
    return Answer(http_status=200, code="0", imp_uid=record.imp_uid, pg_tid=record.raw["pg_tid"], raw=record.raw)


def report(measured: Measured) -> None:
    """Print what one charge costs."""
    table, count = Table(), measured.charges
    for column in ("per charge", "CPU ms", "WAL bytes"):
        table.add_column(column, justify="left" if column == "per charge" else "right")
    for name, cpu in measured.cpu_ms.items():
        table.add_row(name, f"{cpu / count:.3f}", f"{measured.wal[name] / count:.0f}")
    table.add_row("all", f"{sum(measured.cpu_ms.values()) / count:.3f}", f"{sum(measured.wal.values()) / count:.0f}")
    console.print(table)
    console.print(f"{count:,} charges; load of the machine {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} cores")


def report_sizes(measured: Measured) -> None:
    """Print how many bytes a charge takes of each table, with its indexes."""
    table = Table()
    for column in ("bytes per charge", *TABLES):
        table.add_column(column, justify="left" if column == "bytes per charge" else "right")
    for when, (count, by_table) in measured.sizes.items():
        table.add_row(when, *(f"{rows / count:.0f} + {indexes / count:.0f}" for rows, indexes in by_table.values()))
    console.print(table)


if __name__ == "__main__":
    main()
