"""The obvious design beside the pump: one Celery task per charge, which waits for its answer (`obvious.py`)."""

from __future__ import annotations

from sqlalchemy import text

from tests.bench import progress
from tests.bench.book import Book
from tests.bench.figures import Figure, Measured
from tests.bench.machine import Usage
from tests.bench.obvious import app
from tests.bench.servers import Bench
from worker.domain.clock import system_clock

TITLE = "One task per charge"
CHILDREN = 8
PATIENCE_SECONDS = 300


def measure(bench: Bench) -> Measured:
    """Send a task for each of some charges, and wait until all are paid."""
    count = bench.sizes.obvious_charges
    with bench.portone() as url, bench.database() as database:
        Book(database.engine).fill_due(count)
        environment = bench.environment(database, portone_url=url)
        app.conf.broker_url = environment["BENCH_BROKER_URL"]
        database_url = database.engine.url.render_as_string(hide_password=False)
        with bench.workers(environment, children=CHILDREN, app="tests.bench.obvious") as (worker,):
            usage = Usage([worker.process.pid])
            before, since = usage.cpu_seconds(), system_clock()
            with database.engine.connect() as connection:
                charges = connection.scalars(text("SELECT id FROM charges")).all()
            for charge_id in charges:
                app.send_task("obvious.charge", (charge_id, url, database_url))
            progress.wait_until(
                lambda: progress.is_settled(database.engine), patience=PATIENCE_SECONDS, sample=usage.sample_memory
            )
            cpu_ms = 1000 * (usage.cpu_seconds() - before) / count
        rate = progress.rate(progress.settled_seconds(database.engine, since))
    return Measured(
        figures=(
            Figure(name="settled", value=rate, unit="/s", note=f"{CHILDREN} processes, answers after 1 s"),
            Figure(name="worker CPU per charge", value=cpu_ms, unit="ms"),
            Figure(
                name="worker memory, peak", value=usage.peak_mib, unit="MiB", note=f"PSS of {CHILDREN + 1} processes"
            ),
        )
    )
