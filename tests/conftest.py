"""Fixtures for every layer: real servers from the wheels, started once, and a clean environment."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import psycopg
import pytest
import structlog
from sqlalchemy import Engine
from typer import testing
from typer.main import get_command

from tests.support.databases import Databases
from worker.database import migrations
from worker.database.engine import Sessions, create_database_engine, session_factory
from worker.devstack.addresses import Postgres, Valkey

LAYERS = ("unit", "integration", "scenarios", "simulation", "browser", "system")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the fast layers first; tests that take processes and seconds come at the end."""
    here = Path(__file__).parent

    def layer(item: pytest.Item) -> int:
        folder = item.path.relative_to(here).parts[0]
        return LAYERS.index(folder) if folder in LAYERS else 0

    items.sort(key=layer)


@pytest.fixture(autouse=True, scope="session")
def _clean_environment(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the developer's own settings from the tests, above all a live key."""
    for name in [name for name in os.environ if name.startswith("AGAIN_")]:
        del os.environ[name]
    # No server beyond this machine is to be trusted here; and loading all certificate authorities for each client would
    # take longer than its calls.
    os.environ.pop("SSL_CERT_FILE", None)
    os.environ["SSL_CERT_DIR"] = str(tmp_path_factory.mktemp("authorities"))


@pytest.fixture(autouse=True, scope="session")
def _commands_are_built_once() -> Iterator[None]:
    """Let typer's runner build the tree of commands once: for each call, that took four times what the call does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(testing, "_get_command", cache(get_command))
        yield


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Undo a test's configuration of the logs: the next one has another standard error."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder for servers; not pytest's own, which is closed to other users: as root, PostgreSQL runs as one."""
    with tempfile.TemporaryDirectory(prefix="again-tests-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres(server_folder: Path) -> Iterator[Postgres]:
    """A real PostgreSQL whose database `again` is migrated and kept as the template of every test's own."""
    server = Postgres(server_folder / "postgres")
    _forget_the_disk(server)
    engine = create_database_engine(server.url, actor="template")
    migrations.upgrade(engine)
    engine.dispose()
    yield server
    server.close()


def _forget_the_disk(server: Postgres) -> None:
    """Nothing of this server has to outlive the machine, and hundreds of databases come and go on it."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def databases(postgres: Postgres) -> Databases:
    return Databases(postgres)


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """The address of a migrated, empty database of this test's own."""
    with databases.one() as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_database_engine(database_url, actor="test")
    yield engine
    engine.dispose()


@pytest.fixture
def sessions(engine: Engine) -> Sessions:
    return session_factory(engine)


@pytest.fixture(scope="session")
def valkey(server_folder: Path) -> Iterator[str]:
    """The address of a real Valkey."""
    server = Valkey(server_folder / "valkey")
    yield server.url
    server.close()
