"""The database of all histories, the options of a run, and the count of its histories."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import structlog
from sqlalchemy import Engine, event

from tests.simulation.engine import database
from worker.database.engine import create_database_engine
from worker.devstack.addresses import Postgres

_told_by_workers: list[int] = []

TORTURE = ("test_long_histories_keep_every_promise_until_the_time_is_up", "test_history_is_reproducible_from_its_seed")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("simulation")
    group.addoption("--seed", type=int, default=None, help="tell the one long history of this seed")
    group.addoption("--torture-seconds", type=float, default=0.0, help="go on telling long histories for so long")
    group.addoption("--thorough", action="store_true", help="tell every history of one period (half an hour)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the endless story to `make torture`, and the one that needs a quiet PostgreSQL.

    The order of rows in a statement is not fixed, so a long history run twice can diverge.
    """
    if not config.getoption("--torture-seconds", default=0.0):
        items[:] = [item for item in items if item.name not in TORTURE]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if told := database.told + sum(_told_by_workers):
        terminalreporter.write_line(f"simulation: {told} histories")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Under xdist, each process reports its histories to the one that writes the summary."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["histories"] = database.told


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    _told_by_workers.append(getattr(node, "workeroutput", {}).get("histories", 0))


@pytest.fixture(scope="session")
def engine(postgres: Postgres) -> Iterator[Engine]:
    """An engine to a database of the simulation's own; its commits need not outlive the machine."""
    name = f"simulation_{uuid4().hex}"
    admin = postgres.url.replace("/again?", "/postgres?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE again")
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        connection.execute(f"ALTER DATABASE {name} SET plan_cache_mode = force_generic_plan")
    engine = create_database_engine(postgres.url.replace("/again?", f"/{name}?"), actor="worker simulation")
    engine.pool._pre_ping = False  # a third of all round trips, and this server stays
    event.listen(engine, "connect", _plan_once)
    yield engine
    engine.dispose()
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _plan_once(connection: psycopg.Connection[Any], _: object) -> None:
    """Keep the plans of statements: parsing and planning is half of PostgreSQL's work on tables this small."""
    connection.prepare_threshold = 1  # not 0: what is several statements at once is then left alone


@pytest.fixture(autouse=True)
def _quiet(_logs_as_before: None) -> None:
    """Thousands of crashes would fill the log."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """Whether everything is to be run."""
    return bool(request.config.getoption("--thorough", default=False))


@pytest.fixture(scope="session")
def torture_seconds(request: pytest.FixtureRequest) -> float:
    return float(request.config.getoption("--torture-seconds", default=0.0))


@pytest.fixture(scope="session")
def first_seed() -> int:
    """The first seed of `make torture`: another one each time. A failure names its seed."""
    return secrets.randbelow(1_000_000_000)
