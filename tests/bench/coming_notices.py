"""What the tick of notices costs: where nothing is to be told, and where many renewals fall into one day.

    python -m tests.bench.coming_notices [subscriptions] [renewals]

Of all that comes within nine days every customer was told. Then the renewals, of other subscriptions, come in six days.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from time import perf_counter

import psutil
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, text

from tests.bench import growth
from tests.bench.database_time import recorded
from tests.support import scale
from worker.changes.kind import ChangePolicy
from worker.config.logs import log_errors_only
from worker.database.engine import session_factory
from worker.notices.policy import NoticePolicy
from worker.notices.sending import SentNotices, send_notices

POLICY = NoticePolicy(changes=ChangePolicy(max_amount=10**9), quiet=None)

console = Console() if sys.stdout.isatty() else Console(width=120)

_PLANS = text("UPDATE plans SET notices = 'renewal 7, trial 7, price 30'")

_TOLD = text("""
    INSERT INTO notices (subscription_id, kind, about, due_at, sent_at, content)
    SELECT id, 'renewal', next_charge_at, :now, :now, jsonb_build_object('texts', repeat('x', 900))
    FROM subscriptions WHERE next_charge_at <= CAST(:now AS timestamptz) + interval '9 days'
""")

_RENEWALS = text("""
    UPDATE subscriptions SET next_charge_at = CAST(:now AS timestamptz) + interval '6 days'
    WHERE id IN (
        SELECT id FROM subscriptions
        WHERE status = 'active' AND next_charge_at > CAST(:now AS timestamptz) + interval '12 days'
        ORDER BY id LIMIT :renewals)
""")


def main() -> None:
    """Measure whole walks, before and after the renewals, and print what their ticks have taken."""
    count, renewals = (int(given) for given in (*sys.argv[1:], *("50000", "5000")[len(sys.argv) - 1 :]))
    log_errors_only()
    now = datetime.now(UTC).replace(microsecond=0)
    table = Table("")
    for column in ("ticks", "rows looked at", "told", "told/s", "database ms a tick", "slowest tick", "ms a notice"):
        table.add_column(column, justify="right")
    with growth.database() as engine:
        scale.fill(engine, now=now, subscriptions=count)
        _run(engine, (_PLANS, _TOLD), now)
        table.add_row("all were told", *walked(engine, now, renewals=0))
        _run(engine, (_RENEWALS,), now, renewals=renewals)
        table.add_row(f"{renewals:,} renewals in one day", *walked(engine, now, renewals=renewals))
    console.print(table)
    console.print(f"load of the machine {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} cores")


def _run(engine: Engine, statements: tuple[object, ...], now: datetime, **values: int) -> None:
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            connection.execute(statement, {"now": now, **values})  # type: ignore[call-overload]
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def walked(engine: Engine, now: datetime, *, renewals: int) -> Iterator[str]:
    """Walk through all that comes once, and yield what a row of the table says."""
    ticks: list[tuple[SentNotices, float, float]] = []
    while not ticks or not _is_round(engine) or sum(each.sent for each, _, _ in ticks) < renewals:
        started = perf_counter()
        with recorded() as time:
            sent = send_notices(session_factory(engine), policy=POLICY, now=now)
        ticks.append((sent, time.ms, perf_counter() - started))
    told = sum(sent.sent for sent, _, _ in ticks)
    telling = [(ms, seconds) for sent, ms, seconds in ticks if sent.sent]
    yield f"{len(ticks)}"
    yield f"{sum(sent.looked_at for sent, _, _ in ticks):,}"
    yield f"{told:,}"
    yield f"{told / sum(seconds for _, seconds in telling):,.0f}" if telling else "-"
    yield f"{sum(ms for _, ms, _ in ticks) / len(ticks):.1f}"
    yield f"{max(ms for _, ms, _ in ticks):.1f}"
    yield f"{sum(ms for ms, _ in telling) / told:.3f}" if told else "-"


def _is_round(engine: Engine) -> bool:
    """Return whether the walk stands at its beginning again."""
    with engine.connect() as connection:
        return not connection.scalar(text("SELECT id FROM notice_walks WHERE name = 'charges'"))


if __name__ == "__main__":
    main()
