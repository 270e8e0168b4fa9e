"""A violated invariant is logged, counted and shown, and stays as it is until an operator repairs it."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.scenarios.conftest import World
from worker import tasks
from worker.ledger import stops
from worker.sandbox.rules.behaviours import Reply, troubled

BREAK = "UPDATE attempts SET status = 'not_charged', next_lookup_at = NULL WHERE id = 1"
MEND = "UPDATE attempts SET status = 'unknown', next_lookup_at = :now WHERE id = 1"
BROKEN = "charging_has_an_open_attempt"


def check(world: World, **span: float) -> tuple[dict[str, Any], list[str]]:
    """Let the timer ring after a while; gives the task's result, and which invariants were logged as errors."""
    world.wait(**span)
    with capture_logs() as logs:
        summary: dict[str, Any] = tasks.check_invariants()
    return summary, [each["invariant"] for each in logs if each["log_level"] == "error"]


def rows(world: World) -> dict[str, tuple[int, str]]:
    return {row.name: (row.count, row.examples) for row in world.sql("SELECT * FROM violations")}


def test_a_violation_is_logged_once_counted_kept_and_never_repaired(world: World):
    world.subscribe(troubled(Reply.DROP, charged=True))
    world.tick()
    assert check(world)[0]["broken"] == {}
    world.sql(BREAK)
    before = world.sql("SELECT status, status_at FROM charges"), world.sql("SELECT * FROM attempts")

    summary, logged = check(world, minutes=5)
    assert summary["broken"] == {BROKEN: 1}
    assert logged == [BROKEN]
    assert rows(world) == {BROKEN: (1, "1")}
    since = world.now
    assert check(world, minutes=5)[1] == [], "nothing new about it"
    assert [row.since for row in world.sql("SELECT since FROM violations")] == [since]
    world.tick()
    after = world.sql("SELECT status, status_at FROM charges"), world.sql("SELECT * FROM attempts")
    assert after == before

    world.sql(MEND, now=world.now)
    summary, logged = check(world, minutes=5)
    assert (summary["gone"], logged) == ([BROKEN], [])
    assert rows(world) == {}
    world.tick()
    world.assert_books_agree()


def test_another_count_is_news(world: World):
    for _ in range(2):
        world.subscribe(troubled(Reply.DROP, charged=True))
    world.tick()
    world.sql(BREAK)
    check(world)
    world.sql(BREAK.replace("id = 1", "id = 2"))
    assert check(world, minutes=5)[1] == [BROKEN]
    assert rows(world) == {BROKEN: (2, "1, 2")}


def test_workers_that_come_back_are_not_blamed_for_what_waited(world: World):
    world.subscribe()
    check(world)
    world.wait(days=2)  # nothing runs, and the first thing that does is the check
    assert check(world)[1] == []
    assert check(world, minutes=5)[1] == ["due_period_is_opened"], "nobody opens it still"
    world.tick()
    assert check(world, minutes=5)[0]["gone"] == ["due_period_is_opened"]
    world.assert_books_agree()


@pytest.mark.parametrize("scope", ["kakaopay", "plan:monthly"])
def test_charge_of_a_lifted_stop_is_not_late_at_once(world: World, scope: str):
    world.subscribe()
    with world.runtime.sessions.begin() as session:
        stops.stop(session, scope=scope, reason="audit", stopped_by="me", now=world.now)
    tasks.open_charges()
    for _ in range(20):
        assert check(world, minutes=10)[1] == []
    with world.runtime.sessions.begin() as session:
        stops.start(session, scope=scope, now=world.now)
    assert check(world, minutes=5)[1] == []
    logged = [each for _ in range(7) for each in check(world, minutes=10)[1]]
    assert logged == ["due_charge_is_claimed"], "an hour later, and nobody charges it"
    world.tick()
    world.assert_books_agree()


@pytest.mark.parametrize("name", ["no_longer_known", BROKEN])
def test_unknown_and_repaired_violations_are_deleted(world: World, name: str):
    world.sql("INSERT INTO violations VALUES (:name, 1, '1', :now, :now)", name=name, now=world.now)
    assert check(world)[0]["gone"] == [name]
    assert rows(world) == {}
