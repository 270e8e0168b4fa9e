"""How well a pace of calls is kept by three workers together: `python -m tests.bench.call_pace [per second] [seconds]`.

More is due than the pace allows, so each worker would call more often if it could. Counted are the sends that the
workers have claimed; the pace is kept when no span has more than its calls, and used up when none of them is lost.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timedelta
from time import sleep

from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from tests.bench.book import Book
from tests.bench.servers import NO_LIMITS, Bench, running_bench
from tests.bench.sizes import SHORT
from worker.domain.channel_rules import ChannelRules
from worker.domain.clock import elapsed_seconds, system_clock
from worker.ledger import channel_rules

WORKERS = 3
PG = "kakaopay"
RUN_SECONDS = 10.0
SPARE = timedelta(seconds=2)
"""At the beginning: the burst that an idle PG is allowed, and workers that begin one after the other."""

_SENT = text("SELECT started_at FROM attempts ORDER BY started_at")


def main() -> None:
    """Measure, and print a table."""
    rate, seconds = (
        int(sys.argv[place]) if len(sys.argv) > place else default for place, default in ((1, 50), (2, 60))
    )
    with running_bench(SHORT) as bench:
        sent = _sent(bench, rate, seconds)
    table = Table(title=f"{rate} calls a second, {WORKERS} workers, {seconds} s")
    for name in ("span", "calls", "of the pace"):
        table.add_column(name, justify="right")
    first = sent[0] + SPARE
    within = bisect_left(sent, first + timedelta(seconds=seconds)) - bisect_left(sent, first)
    table.add_row(f"{seconds} s, all but the first {SPARE.seconds}", f"{within:,}", f"{within / rate / seconds:.1%}")
    for span in (seconds, 10, 1):
        most = _most_within(sent, timedelta(seconds=span))
        table.add_row(f"the fullest {span} s", f"{most:,}", f"{most / rate / span:.1%}")
    Console().print(table)


def _sent(bench: Bench, rate: int, seconds: int) -> Sequence[datetime]:
    """Let the workers charge for so long, and return when each call was claimed."""
    with bench.portone() as url, bench.database() as database:
        book = Book(database.engine)
        count = rate * (seconds + 10)
        book.subscribe(count)
        book.make_due(0, count)
        book.analyse()
        with Session(database.engine) as session, session.begin():
            channel_rules.set_rules(session, PG, ChannelRules(rate), reason="bench", now=system_clock())
        environment = bench.environment(
            database, portone_url=url, **NO_LIMITS, AGAIN_PUMP_SECONDS=f"{RUN_SECONDS:g}", AGAIN_LOG_LEVEL="WARNING"
        )
        with bench.workers(environment, count=WORKERS, children=1):
            until = elapsed_seconds() + seconds + 3 * SPARE.total_seconds()
            while (left := until - elapsed_seconds()) > 0:
                bench.call("again.charge", times=WORKERS)  # as beat does; one that runs already ends the others at once
                sleep(min(left, RUN_SECONDS / 4))
        return _times(database.engine)


def _times(engine: Engine) -> Sequence[datetime]:
    with engine.connect() as connection:
        return connection.scalars(_SENT).all()


def _most_within(sent: Sequence[datetime], span: timedelta) -> int:
    """Return how many calls the fullest span of this length has."""
    return max(bisect_left(sent, at + span) - place for place, at in enumerate(sent))


if __name__ == "__main__":
    main()
