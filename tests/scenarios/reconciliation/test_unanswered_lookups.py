"""Failing look-ups and reconciliations: they raise an alarm at once, and the look-up backoff ends in a discrepancy."""

from __future__ import annotations

from datetime import timedelta

from tests.scenarios.conftest import World
from worker.operations import status_queries
from worker.sandbox.rules.behaviours import Reply, pay, troubled


def failing(world: World) -> tuple[int, str | None]:
    with world.runtime.sessions() as session:
        return status_queries.failing_look_ups(session).count, status_queries.look_up_failure(session)


def test_look_ups_that_fail_are_counted_since_the_first_until_one_succeeds(world: World):
    world.subscribe(troubled(Reply.DROP, charged=True))
    world.tick()
    assert failing(world) == (0, None)
    world.portone.switch(outage="unavailable")
    world.wait(minutes=6)
    since = world.now
    world.tick()
    world.wait(minutes=30)
    world.tick()
    count, failure = failing(world)
    assert count == 1
    assert failure is not None
    (row,) = world.sql("SELECT failing_since, code, message FROM attempts")
    assert row.failing_since == since
    world.portone.switch(outage="none")
    world.live(days=1)
    assert failing(world) == (0, None)
    assert world.statuses() == {"paid": 1}
    world.assert_books_agree()


def test_attempt_never_looked_up_until_its_backoff_ends_becomes_a_discrepancy(world: World):
    world.subscribe(troubled(Reply.DROP, charged=True))
    world.tick()
    world.portone.switch(outage="unavailable")
    world.live(days=10, step=timedelta(hours=6))
    assert world.discrepancies() == [("unresolved", "open")]
    (attempt,) = world.attempts()
    assert attempt.flag_reason == "still look_up_failed after the last look-up"
    assert world.portone.report().again_requests == 1
    assert world.portone.report().charges == 1


def test_failed_look_up_after_a_long_downtime_needs_no_operator(world: World):
    world.subscribe(troubled(Reply.DROP, charged=True))
    world.tick()
    world.wait(days=20)
    world.portone.switch(outage="unavailable")
    world.tick()
    assert world.discrepancies() == []
    world.portone.switch(outage="none")
    world.live(days=1)
    assert world.statuses()["paid"] >= 1


def test_reconciliation_with_an_unreadable_list_shows_since_when(world: World):
    world.subscribe(pay())
    world.tick()
    world.portone.switch(outage="error")
    world.wait(hours=1)
    since = world.now
    for _ in range(3):
        assert world.sweep()["ended"] == "list not read"
        world.wait(minutes=5)
    with world.runtime.sessions() as session:
        sweep = status_queries.failing_sweep(session)
    assert sweep is not None
    assert (sweep.failing_since, bool(sweep.failure)) == (since, True)
    world.portone.switch(outage="none")
    world.wait(minutes=5)
    world.sweep()
    with world.runtime.sessions() as session:
        assert status_queries.failing_sweep(session) is None
