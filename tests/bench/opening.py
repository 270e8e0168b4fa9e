"""How many subscriptions a second get their charge when a period begins for many at once, and in how much memory."""

from __future__ import annotations

import json
import resource
import sys
from time import perf_counter, process_time

from sqlalchemy import Engine, text

from tests.bench.figures import AT_MOST, Figure, Measured
from tests.bench.servers import Bench, printed

TITLE = "Opening"
MOST_GROWTH_MIB = 30.0

# The same rows in one statement, constraints and triggers included: nothing opens them faster.
_BARE = text("""
    INSERT INTO charges (subscription_id, period_start, period_end, amount, tax_free, currency, order_name, status,
                         status_at, next_attempt_at, created_at)
    SELECT c.subscription_id, c.period_start + interval '1 second', c.period_end, c.amount, c.tax_free, c.currency,
           c.order_name, c.status, c.status_at, c.next_attempt_at, c.created_at
    FROM charges c WHERE c.status = 'due'
""")


def measure(bench: Bench) -> Measured:
    """Let the period of some of many subscriptions begin, and open their charges in a process of its own."""
    database, book = bench.large()
    due = bench.sizes.opening_due
    book.let_periods_begin(due)
    environment = bench.environment(database, portone_url="http://127.0.0.1:1")
    opened = printed(("-m", "tests.bench.opening"), environment)
    if opened["opened"] != due:
        raise SystemExit(f"{opened['opened']} of {due} charges were opened")
    bare = due / _bare_seconds(database.engine)
    rate = due / opened["seconds"]
    among = f"{due:,} due of {bench.sizes.subscriptions:,}"
    return Measured(
        figures=(
            Figure(name="opened", value=rate, unit="/s", aim=10_000, note=among),
            Figure(
                name="opened, of one bare INSERT ... SELECT",
                value=rate / bare,
                note=f"bare {bare:.0f}/s, triggers and constraints included",
            ),
            Figure(name="CPU of the process per charge", value=1000 * opened["cpu_seconds"] / due, unit="ms"),
            Figure(
                name="memory that opening adds",
                value=opened["growth_mib"],
                unit="MiB",
                aim=MOST_GROWTH_MIB,
                bound=AT_MOST,
                note=f"peak {opened['peak_mib']:.0f} MiB resident",
            ),
        )
    )


def _bare_seconds(engine: Engine) -> float:
    with engine.connect() as connection:
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        started = perf_counter()
        connection.execute(_BARE)
        seconds = perf_counter() - started
        connection.rollback()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM charges"))  # or claims would pass by what was rolled back
    return seconds


def _peak_mib() -> float:
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kib / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    """Run one tick of opening, and print what it took."""
    from worker import process
    from worker.charging.open_due import open_due_charges

    runtime = process.current().runtime
    runtime.sync_clock()
    before, started, cpu = _peak_mib(), perf_counter(), process_time()
    opened = open_due_charges(
        runtime.sessions,
        now=runtime.clock(),
        limit=runtime.settings.catch_up_limit,
        hold_policy=runtime.hold_policy,
    )
    result = {
        "opened": opened.opened,
        "seconds": perf_counter() - started,
        "cpu_seconds": process_time() - cpu,
        "peak_mib": _peak_mib(),
        "growth_mib": _peak_mib() - before,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
