"""What a worker's child does before its work, and that it holds no lock meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from worker import process, tasks
from worker.database import heartbeats

_LOCK = text("SELECT name FROM heartbeats WHERE name = :name FOR UPDATE NOWAIT")


@pytest.fixture
def worker_process(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AGAIN_DATABASE_URL", database_url)
    monkeypatch.setenv("AGAIN_BROKER_URL", "memory://")
    yield
    process.forget()


def test_worker_frozen_during_its_heartbeat_delays_no_other_worker(
    worker_process: None, engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    """All workers update the same few rows; one that kept them locked would stop every task of the others."""
    note, free = heartbeats.beat, []

    def note_and_freeze(session: Session, name: str, *, now: datetime, ahead: timedelta | None) -> None:
        note(session, name, now=now, ahead=ahead)
        with engine.begin() as other:
            free.append(other.execute(_LOCK, {"name": name}).scalar_one())

    monkeypatch.setattr(heartbeats, "beat", note_and_freeze)
    tasks.open_charges()
    assert free == ["again.open_charges"]
