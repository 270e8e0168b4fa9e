"""What events cost the pump, how fast they are relayed, and how old they are when they arrive while much is charged."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median, quantiles
from typing import Any
from urllib.request import urlopen

from sqlalchemy import Engine, text

from tests.bench import progress
from tests.bench.book import Book
from tests.bench.figures import AT_MOST, Figure, Measured
from tests.bench.machine import Usage
from tests.bench.servers import NO_LIMITS, Bench, Database
from tests.bench.throughput import CHILDREN, WINDOW, charge, pump
from worker.database.engine import session_factory
from worker.domain.clock import system_clock
from worker.events import destinations

TITLE = "Events"
BUSY = 500  # calls in flight, answered after a second: so many charges are settled each second
LOCAL = ("127.0.0.0/8",)
TICK_SECONDS = 1.0
PATIENCE_SECONDS = 300

_TRIGGERS = text("""
    SELECT tgrelid::regclass::text AS "table", tgname AS name FROM pg_trigger
    WHERE tgname LIKE '%\\_event\\_%' AND NOT tgisinternal ORDER BY 1, 2
""")

_LEFT = text("SELECT EXISTS (SELECT FROM outbox) OR EXISTS (SELECT FROM deliveries)")


def measure(bench: Bench) -> Measured:
    """Measure the pump with and without the outbox, then the relay alone, then both together."""
    with bench.portone() as portone, bench.database() as database:
        more = {**NO_LIMITS, "AGAIN_LOG_LEVEL": "WARNING", "AGAIN_WEBHOOK_ALLOWED_NETWORKS": ",".join(LOCAL)}
        book = Book(database.engine)
        environment = bench.environment(
            database, portone_url=portone, **more, AGAIN_MAX_IN_FLIGHT=str(WINDOW // CHILDREN)
        )
        with bench.workers(environment, children=CHILDREN) as (worker,):
            ratios = _ratios(bench, database, book, Usage([worker.process.pid]))
            relayed = _relayed(bench, database, book)
        environment = bench.environment(
            database, portone_url=portone, **more, AGAIN_MAX_IN_FLIGHT=str(BUSY // CHILDREN)
        )
        with bench.workers(environment, children=CHILDREN + 1) as (worker,):
            ages, rate = _while_charging(bench, database, book, Usage([worker.process.pid]))
    return Measured(figures=tuple(_figures(ratios, relayed, ages, rate)))


def _ratios(bench: Bench, database: Database, book: Book, worker: Usage) -> list[float]:
    """Return the pump's rates with the outbox, each of the mean of those before and after it without."""
    usage, charges = (worker, Usage([bench.postgres_pid])), bench.sizes.throughput_charges
    rates = []
    for number in range(2 * bench.sizes.rounds + 1):
        _set_triggers(database.engine, enabled=number % 2 == 1)
        rates.append(pump(bench, database, book, usage, charges)["rate"])
    _set_triggers(database.engine, enabled=True)
    return [rates[n] / ((rates[n - 1] + rates[n + 1]) / 2) for n in range(1, len(rates), 2)]


def _set_triggers(engine: Engine, *, enabled: bool) -> None:
    with engine.begin() as connection:
        for trigger in connection.execute(_TRIGGERS).all():
            verb = "ENABLE" if enabled else "DISABLE"
            connection.execute(text(f"ALTER TABLE {trigger.table} {verb} TRIGGER {trigger.name}"))


def _relayed(bench: Bench, database: Database, book: Book) -> float:
    """Return how many events a second one endpoint is sent of those that wait."""
    with _endpoint(bench, database) as url:
        book.fill_due(bench.sizes.throughput_charges)
        with _ticking(bench, "again.charge", every=TICK_SECONDS):
            progress.wait_until(lambda: progress.is_settled(database.engine), patience=PATIENCE_SECONDS)
        with _ticking(bench, "again.relay", every=TICK_SECONDS):
            _drained(database.engine)
        report = _report(url)
    return report["count"] / report["seconds"] if report["seconds"] else 0.0


def _while_charging(bench: Bench, database: Database, book: Book, worker: Usage) -> tuple[Sequence[float], float]:
    """Return how old events are when they arrive while the pump is busy, in seconds and rising, and its rate."""
    usage = worker, Usage([bench.postgres_pid])
    with _endpoint(bench, database) as url, _ticking(bench, "again.relay", every=TICK_SECONDS):
        charges = BUSY * max(6, bench.sizes.throughput_charges // BUSY)
        book.fill_due(charges)
        _drained(database.engine)
        _report(url)  # of what was added; from here on events are those of charges
        rate = charge(bench, database, usage, charges)["rate"]
        _drained(database.engine)
        return _report(url)["ages"], rate


@contextmanager
def _endpoint(bench: Bench, database: Database) -> Iterator[str]:
    """Run an endpoint that gets every event from now on."""
    sessions = session_factory(database.engine)
    with bench.hook() as url:
        name = f"hook-{url.rpartition(':')[2]}"
        now = system_clock()
        destinations.add_webhook(sessions, url, name=name, types=[], secret=None, allowed=LOCAL, now=now)
        yield url
        destinations.remove(sessions, name, now=system_clock())


@contextmanager
def _ticking(bench: Bench, task: str, *, every: float) -> Iterator[None]:
    """Send ticks of a task for as long as this lasts, as beat would."""
    ended = threading.Event()

    def tick() -> None:
        while not ended.is_set():
            bench.call(task)
            ended.wait(every)

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _drained(engine: Engine) -> None:
    def is_drained() -> bool:
        with engine.connect() as connection:
            return not connection.scalar(_LEFT)

    if not progress.wait_until(is_drained, patience=PATIENCE_SECONDS):
        raise SystemExit(f"not every event had arrived within {PATIENCE_SECONDS} s")


def _report(url: str) -> dict[str, Any]:
    with urlopen(url) as response:
        report: dict[str, Any] = json.loads(response.read())
    return report


def _figures(ratios: Sequence[float], relayed: float, ages: Sequence[float], rate: float) -> Iterator[Figure]:
    yield Figure(
        name="settled with the outbox, of without",
        value=median(ratios),
        aim=0.95,
        note=f"{WINDOW:,} in flight, the triggers off before and after, median of {len(ratios)}: "
        + ", ".join(f"{each:.3f}" for each in ratios),
    )
    yield Figure(name="relayed to one endpoint", value=relayed, unit="/s", aim=1000, note="which answers after 50 ms")
    yield Figure(
        name="age on arrival, 99 of 100",
        value=quantiles(ages, n=100)[-1],
        unit="s",
        aim=2,
        bound=AT_MOST,
        note=f"while {rate:.0f} charges a second are settled; the median is {median(ages):.2f} s",
    )
