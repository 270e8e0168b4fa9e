"""A small book is played through some months by the code that charges, and ends on the sandbox's own ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.support.databases import Databases
from tests.support.sandbox import running_sandbox
from worker.config.settings import Settings
from worker.database.clock import DatabaseClock
from worker.runtime import Runtime
from worker.simulation.book import Book, Habits, usual_book
from worker.simulation.figures import Year
from worker.simulation.play import simulate
from worker.simulation.stage import SETTINGS, Stage

FIRST = date(2027, 1, 1)
TROUBLED = Habits(low_balance=0.3, over_limit=0.1, dead_key=0.1, lost_answer=0.1, canceled=0.05, refunded=0.1)


@contextmanager
def stage(databases: Databases, folder: Path) -> Iterator[Stage]:
    """Where the tests play: one of their databases, and a sandbox on a thread."""
    folder.mkdir()
    with databases.one() as url, running_sandbox(folder / "ledger.sqlite") as sandbox:
        settings = Settings.from_env({**SETTINGS, "AGAIN_SANDBOX_URL": sandbox.base_url, "AGAIN_DATA_DIR": str(folder)})
        runtime = Runtime.create(settings, url, actor="worker test", clock=DatabaseClock(follows_turns=True))
        runtime.sync_clock()
        with runtime.sessions.begin() as session:  # the template of the test's database may be older than a silence
            session.execute(text("UPDATE database_identity SET seen_at = clock_timestamp()"))
        yield Stage(folder, runtime, sandbox.admin)
        runtime.close()


def played(databases: Databases, folder: Path, book: Book, *, months: int, seed: int = 1) -> Year:
    with stage(databases, folder) as where:
        return simulate(where, book, start_on=FIRST, months=months, seed=seed, tell=lambda _: None)


def test_three_troubled_months_end_on_the_ledger_and_repeat_to_the_won(databases: Databases, tmp_path: Path):
    book = replace(usual_book(20), habits=TROUBLED)
    year = played(databases, tmp_path / "first", book, months=3)
    total = year.total
    assert year.agrees, (year.discrepancies, year.violations)
    assert (year.ledger.times, year.ledger.won) == (total.charged.times + total.recovered.times, total.paid)
    # every kind of figure is there, or the test would not have looked at it
    assert min(total.charged.times, total.recovered.times, total.lost.times, total.refunded.times) > 0
    assert min(total.canceled, total.dropped) > 0
    assert total.running == 20 - total.canceled - total.dropped
    repeated = played(databases, tmp_path / "second", book, months=1)
    assert repeated.months == year.months[:1]


def test_customers_without_troubles_pay_each_month_and_all_of_it(databases: Databases, tmp_path: Path):
    calm = Habits(low_balance=0, over_limit=0, dead_key=0, lost_answer=0, canceled=0, refunded=0)
    year = played(databases, tmp_path / "calm", replace(usual_book(4), habits=calm), months=2)
    assert [(month.charged.times, month.charged.won, month.running) for month in year.months] == [(4, 47_700, 4)] * 2
    assert year.recovery_percent is None
    assert year.agrees


def test_payment_that_the_database_lacks_makes_them_differ(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from worker.simulation import queries

    monkeypatch.setattr(queries, "payments", lambda _: {})
    year = played(databases, tmp_path / "blind", usual_book(1), months=1)
    assert not year.agrees
    assert "9,900 and 0 at the sandbox" in year.discrepancies[0]
