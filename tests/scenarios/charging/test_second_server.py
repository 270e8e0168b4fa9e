"""A copy of the database, started beside the first one: it looks like the same, and charges the same customers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import make_url

from tests.scenarios.conftest import World
from tests.support.sandbox import RunningSandbox
from worker import process
from worker.runtime import Runtime
from worker.sandbox.rules.behaviours import Reply, pay, troubled
from worker.sandbox.switches import Repeat


@pytest.fixture
def copied(world: World, database_url: str) -> Iterator[Callable[[], World]]:
    """Start a copy of the whole data folder: even to PostgreSQL it is the same database."""
    name = f"{make_url(database_url).database}_copy"
    url = make_url(database_url).set(database=name).render_as_string(hide_password=False)
    admin = make_url(database_url).set(database="postgres", drivername="postgresql")
    copies: list[World] = []

    def copy() -> World:
        world.runtime.engine.dispose()
        with psycopg.connect(admin.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {make_url(database_url).database}")
        runtime = Runtime.create(world.runtime.settings, url, actor="copy", clock=world.runtime.clock)
        copies.append(replace(world, runtime=runtime))
        copies[0].sql("UPDATE database_identity SET identity = current_identity()")
        return copies[0]

    yield copy
    for each in copies:
        each.runtime.close()
        with psycopg.connect(admin.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("rule", [Repeat.REFUSE, Repeat.REFUSE_AS_PG])
def test_second_server_stops_when_its_first_attempt_was_paid_already(
    world: World, sandbox: RunningSandbox, copied: Callable[[], World], rule: Repeat
):
    sandbox.admin.switch(repeated_paid=rule)
    world.subscribe(pay())
    second = copied()
    world.tick()
    world.wait(minutes=1)
    process.forget()
    second.restart_worker()
    second.tick()
    second.wait(minutes=6)
    second.tick()
    assert second.statuses() == {"paid": 1}
    [stop] = second.sql("SELECT scope, reason, stopped_by FROM stops")
    assert stop.scope == "all"
    assert "another server charges with this prefix" in stop.reason
    assert "again start" in stop.reason
    second.wait(days=40)
    second.tick()
    assert world.portone.report().charges == 1


def test_own_lost_answer_does_not_count_as_a_second_server(world: World, sandbox: RunningSandbox):
    sandbox.admin.switch(repeated_paid=Repeat.REFUSE)
    world.subscribe(troubled(Reply.DROP, charged=True))
    world.tick()
    world.wait(minutes=6)
    world.tick()
    assert world.statuses() == {"paid": 1}
    assert world.sql("SELECT FROM stops") == []
