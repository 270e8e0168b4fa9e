"""What events cost that are kept: publishing, reading and pruning, in an empty table and in a full one.

    python -m tests.bench.kept_events [events a day] [days]

The table is filled with copies of real events, as many as are kept at that rate. Then some days are lived: each writes
its events by the real statements while the oldest day is pruned, and a vacuum follows, as autovacuum's settings say.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import perf_counter

import psutil
from rich.console import Console
from rich.table import Table
from sqlalchemy.orm import Session, sessionmaker

from tests.bench import growth
from tests.bench.database_time import median_ms
from tests.bench.kept_rows import Kept, fill, prepare, size, vacuum, write
from tests.support import plans
from worker.config.logs import log_errors_only
from worker.domain.events.destinations import Delivered
from worker.domain.events.types import EventType
from worker.events import delivery_turn, destination_queries, lag_queries, queries
from worker.events.drain import LEASE
from worker.events.pruning import BATCH as PRUNED
from worker.events.pruning import prune_events
from worker.events.publishing import BATCH, publish
from worker.events.queries import Wanted
from worker.ledger import outbox

PUBLISHED = 10_000
"""Events that are published in the empty table, and once more in the full one."""

LIVED = 5
"""Days of writing and pruning."""

LISTED = 50
ROUNDS = 5

console = Console() if sys.stdout.isatty() else Console(width=120)

Use = Callable[[Session, Kept], object]


def main() -> None:
    """Measure everything, and print it."""
    a_day, days = (int(given) for given in (*sys.argv[1:], *("2740", "90")[len(sys.argv) - 1 :]))
    log_errors_only()
    with growth.database() as engine:
        kept = Kept(engine, a_day, days, datetime.now(UTC).replace(microsecond=0))
        prepare(kept, PUBLISHED)
        empty = costs(kept, month=0)
        fill(kept)
        full = costs(kept, month=1)
        printed(("", "in an empty table", f"of {a_day * days:,}"), [(name, empty[name], full[name]) for name in empty])
        printed(LIVED_COLUMNS, lived(kept))
    console.print(f"load of the machine {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} cores")


def printed(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table."""
    table = Table()
    for column in columns:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


# --- publishing and reading -----------------------------------------------------------------------------------------


def costs(kept: Kept, *, month: int) -> dict[str, str]:
    """Charge every subscription once more, and return how fast that is published, and what each use reads."""
    growth.charge_all(kept.engine, growth.Measured(), PUBLISHED, now=kept.now + month * growth.MONTH)
    started = perf_counter()
    published = publish(kept.sessions).events
    rate = published / (perf_counter() - started)
    return {"publish": f"{rate:,.0f}/s", **{name: cost(kept, use) for name, use in USES.items()}}


def cost(kept: Kept, use: Use) -> str:
    """Return how many rows and pages a use of events reads, and what it takes of the database's time."""
    with kept.engine.connect() as connection, connection.begin() as transaction:
        with plans.readings(connection) as read, sessionmaker(connection)() as session:
            use(session, kept)
        transaction.rollback()

    def again() -> None:
        with kept.sessions() as session:
            use(session, kept)

    ms = median_ms(again, rounds=ROUNDS)
    return f"{sum(each.rows for each in read):,} rows, {sum(each.pages for each in read):,} pages, {ms:.1f} ms"


def deliver(session: Session, kept: Kept) -> None:
    """Do what a relay does of a destination: look for work, claim, note what has arrived, and claim more."""
    now = datetime.now(UTC)
    (destination,) = destination_queries.with_work(session, now=now)
    claimed = delivery_turn.take(session, destination.id, [], now=now).claim(LISTED, lease=LEASE, idle=True)
    answered = [(each, Delivered()) for each in claimed]
    delivery_turn.take(session, destination.id, answered, now=now).claim(LISTED, lease=LEASE, idle=True)


def listed(*types: EventType, subscription: str | None = None) -> Use:
    wanted = Wanted(types=types, subscription=subscription)
    return lambda session, _: queries.newest(session, wanted, limit=LISTED)


def read(*types: EventType) -> Use:
    def after(session: Session, kept: Kept) -> object:
        return queries.after(session, kept.middle, Wanted(types=types), limit=BATCH)

    return after


USES: dict[str, Use] = {
    "write 500": lambda session, _: write(session, BATCH),
    "list": listed(),
    "list a rare type": listed(EventType.CHANNEL_STOPPED),
    "list a subscription": listed(subscription=f"{7:013}"),
    "show": lambda session, _: queries.by_id(session, "evt_8f14e45fceea167a5a36dedd"),
    "read 500 from a position": read(),
    "read 500 of two types": read(EventType.CHARGE_DECLINED, EventType.CHANNEL_STOPPED),
    "deliver 2 x 50": deliver,
    "how far behind": lambda session, _: lag_queries.relay_lag(session),
    "prune 5,000": lambda session, kept: queries.prune(session, kept.middle, limit=PRUNED),
    "prune, nothing is old": lambda session, kept: queries.prune(session, kept.start, limit=PRUNED),
}


# --- days of writing and pruning ------------------------------------------------------------------------------------


LIVED_COLUMNS = ("day", "written/s", "longest ms", "deleted/s", "longest ms", "vacuum s", "rows GB", "indexes GB")


@dataclass
class Pace:
    """How fast transactions follow each other, and how long the longest took."""

    rows: int = 0
    longest: float = 0.0
    started: float = field(default_factory=perf_counter)
    last: float = field(default_factory=perf_counter)

    def note(self, rows: int) -> None:
        """Note that a transaction has ended, and how many rows there are by now."""
        now = perf_counter()
        self.rows, self.longest, self.last = rows, max(self.longest, now - self.last), now

    def shown(self) -> tuple[str, str]:
        seconds = max(self.last - self.started, 1e-9)
        return f"{self.rows / seconds:,.0f}", f"{1000 * self.longest:.0f}"


def lived(kept: Kept) -> Iterator[Sequence[str]]:
    """Live some days: the day's events are written while the oldest day's are deleted."""
    yield ("0", *["-"] * 5, *size(kept))
    for day in range(1, LIVED + 1):
        written, deleted = Pace(), Pace()
        writer = threading.Thread(target=write_day, args=(kept, written))
        writer.start()
        prune_events(kept.sessions, before=kept.now - timedelta(days=kept.days - day), progress=deleted.note)
        writer.join()
        started = perf_counter()
        vacuum(kept)
        yield (str(day), *written.shown(), *deleted.shown(), f"{perf_counter() - started:.1f}", *size(kept))


def write_day(kept: Kept, pace: Pace) -> None:
    """Write the events of a day as publishing does, one transaction at a time."""
    for first in range(0, kept.a_day, BATCH):
        with kept.sessions.begin() as session:
            assert outbox.write_alone(session)
            write(session, min(BATCH, kept.a_day - first))
        pace.note(min(first + BATCH, kept.a_day))


if __name__ == "__main__":
    main()
