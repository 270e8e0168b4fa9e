"""A worker and the command line on a machine whose clock is wrong: both go by the database's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from tests.support.wrong_clock import WrongClock
from worker import process, tasks
from worker import runtime as runtime_module
from worker.cli.commands import app as command_line
from worker.database import heartbeats
from worker.database.clock import DatabaseClock
from worker.database.engine import Sessions
from worker.domain.clock import system_clock

CLOSE = timedelta(seconds=10)
_END_THE_OTHERS = text("""
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND datname = current_database()
""")


class Ahead(DatabaseClock):
    """The clock of a machine whose own is two minutes ahead."""

    def __init__(self, **given: Any) -> None:
        super().__init__(WrongClock(minutes=2), **given)


@pytest.fixture
def worker_process(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A worker's child as it makes itself, but for the machine's clock."""
    monkeypatch.setenv("AGAIN_DATABASE_URL", database_url)
    monkeypatch.setenv("AGAIN_BROKER_URL", "memory://")
    monkeypatch.setattr(runtime_module, "DatabaseClock", Ahead)
    yield
    process.forget()


def test_a_task_goes_by_the_databases_clock(worker_process: None, sessions: Sessions):
    tasks.open_charges()
    with sessions() as session:
        seen_at = heartbeats.last_seen(session)["again.open_charges"]
    assert abs(seen_at - system_clock()) < CLOSE
    assert abs(process.current().runtime.clock() - system_clock()) < CLOSE


def test_a_task_that_cannot_ask_does_nothing_and_keeps_what_it_knew(worker_process: None, engine: Engine):
    tasks.open_charges()
    with engine.begin() as connection:
        assert connection.execute(_END_THE_OTHERS).rowcount > 0
    runtime = process.current().runtime
    runtime.engine.pool._pre_ping = False  # so the dead connection is met by the question itself
    with pytest.raises(OperationalError):
        tasks.open_charges()
    assert abs(runtime.clock() - system_clock()) < CLOSE


def test_a_command_goes_by_the_databases_clock_and_says_so(database_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runtime_module, "DatabaseClock", Ahead)
    stopped = CliRunner().invoke(
        command_line, ["stop", "--no-wait", "--json"], env={"AGAIN_DATABASE_URL": database_url}
    )
    assert stopped.exit_code == 0, stopped.output
    assert "the database's clock is -120 s from this machine's" in stopped.stderr
    stopped_at = datetime.fromisoformat(json.loads(stopped.stdout)["stopped_at"])
    assert abs(stopped_at - datetime.now(UTC)) < CLOSE
