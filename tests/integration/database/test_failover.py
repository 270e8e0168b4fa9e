"""A failover: the old primary is a standby now, and connections to it stay open for as long as they are used."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.support.relay import Relay
from tests.support.standby import Server
from worker.config.settings import Settings
from worker.database import migrations
from worker.database.engine import ReadOnly, create_database_engine
from worker.doctor import run
from worker.doctor.finding import CheckContext, Health
from worker.runtime import Runtime


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, for a socket's path is; and open, for PostgreSQL may run as another user."""
    with tempfile.TemporaryDirectory(prefix="again-failover-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def primary(folder: Path) -> Iterator[Server]:
    server = Server.new(folder / "a")
    yield server
    server.stop()


@pytest.fixture
def standby(primary: Server, folder: Path) -> Iterator[Server]:
    server = primary.standby(folder / "b")
    yield server
    server.stop()


@pytest.fixture
def relay(folder: Path, primary: Server) -> Iterator[Relay]:
    relay = Relay(folder, primary.folder)
    yield relay
    relay.close()


@pytest.fixture
def engine(relay: Relay) -> Iterator[Engine]:
    engine = create_database_engine(relay.url("postgres"), actor="test")
    migrations.upgrade(engine)
    yield engine
    engine.dispose()


def beat(engine: Engine, name: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO heartbeats VALUES (:name, now())"), {"name": name})


def beats(engine: Engine) -> list[str]:
    with engine.begin() as connection:
        return list(connection.scalars(text("SELECT name FROM heartbeats ORDER BY name")))


def examined(relay: Relay) -> tuple[Health, str]:
    runtime = Runtime.create(Settings.from_env({}), relay.url("postgres"), actor="doctor")
    context = CheckContext(runtime, "")
    (finding,) = run.examine(context, ["database"])
    runtime.close()
    return finding.health, finding.finding


def test_work_continues_with_the_new_primary_after_a_failover(
    engine: Engine, primary: Server, standby: Server, relay: Relay
):
    beat(engine, "before")
    primary.stop()
    primary.come_back_as_standby()
    with engine.connect() as one, engine.connect() as two:  # a pool of several, all to the old primary
        assert one.scalar(text("SELECT pg_is_in_recovery()"))
        assert two.scalar(text("SELECT pg_is_in_recovery()"))
    with pytest.raises(ReadOnly, match="read-only transaction"):
        beat(engine, "meanwhile")
    assert beats(engine) == ["before"], "what is there can be read all the while"
    health, said = examined(relay)
    assert (health, "is a standby and accepts no writes" in said) == (Health.BROKEN, True)
    standby.promote()
    relay.to = standby.folder
    beat(engine, "after")  # at the first try
    assert beats(engine) == ["after", "before"]
    assert examined(relay)[0] is Health.OK


def test_a_transaction_that_meets_the_old_primary_is_the_last_that_does(
    engine: Engine, primary: Server, standby: Server, relay: Relay
):
    """The connection that was in use when the address was led elsewhere."""
    primary.stop()
    primary.come_back_as_standby()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT pg_is_in_recovery()"))
        standby.promote()
        relay.to = standby.folder
        with pytest.raises(ReadOnly):
            connection.execute(text("DELETE FROM heartbeats"))
    beat(engine, "after")
    assert beats(engine) == ["after"]
