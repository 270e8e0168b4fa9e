"""The running totals of a story are what the sandbox's own ledger shows, whatever restarts."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry
from sqlalchemy import text

from tests.scenarios.changes.test_refunds import Operator
from tests.scenarios.conftest import World
from worker import process, tasks
from worker.config.task_limits import task_time_limit
from worker.metrics.collector import DatabaseCollector, registry
from worker.metrics.expected import expected_of
from worker.sandbox.rules.behaviours import Reply, decline, pay, troubled

LOW = ("LACK_BALANCE", "잔액이 부족합니다")


def metrics(world: World) -> CollectorRegistry:
    settings = world.runtime.settings
    expected = expected_of(settings, task_time_limit=task_time_limit(settings))
    return registry(DatabaseCollector(world.runtime.sessions, expected, clock=world.runtime.clock, kept_seconds=0))


def value(world: World, name: str, **labels: str) -> float | None:
    return metrics(world).get_sample_value(name, labels)


def summed(world: World, name: str) -> float:
    return sum(sample.value for family in metrics(world).collect() for sample in family.samples if sample.name == name)


def relay() -> None:
    tasks.relay()
    process.current().wait_for_deliveries()


def test_recovery_is_told_by_how_many_declines_came_before(world: World):
    world.subscribe(pay())
    world.subscribe(decline(*LOW), pay())
    world.subscribe(decline(*LOW), decline(*LOW), pay())
    world.tick()
    relay()
    assert value(world, "again_charges_paid_total", pg="kakaopay", declines="0") == 1
    assert value(world, "again_attempts_declined_total", pg="kakaopay", kind="soft") == 2
    world.live(days=5)
    relay()
    for declines in ("0", "1", "2"):
        assert value(world, "again_charges_paid_total", pg="kakaopay", declines=declines) == 1
        assert value(world, "again_charges_paid_won_total", pg="kakaopay", declines=declines) == 9900
    assert value(world, "again_attempts_declined_total", pg="kakaopay", kind="soft") == 3
    assert value(world, "again_attempts_declined_won_total", pg="kakaopay", kind="soft") == 3 * 9900
    assert value(world, "again_call_seconds_count", pg="kakaopay", outcome="paid") == 3
    assert value(world, "again_call_seconds_count", pg="kakaopay", outcome="declined") == 3
    world.assert_books_agree()


def test_lost_answer_is_one_call_and_one_payment_through_restarts(world: World):
    world.subscribe(troubled(Reply.DROP, charged=True))
    world.tick()
    relay()
    assert value(world, "again_call_seconds_count", pg="kakaopay", outcome="unknown") == 1
    assert value(world, "again_unknown_attempts", age="under_5m") == 1
    world.restart_worker()
    world.live(days=1)
    relay()
    relay()
    assert summed(world, "again_charges_paid_total") == 1
    assert summed(world, "again_call_seconds_count") == 1
    assert summed(world, "again_unknown_attempts") == 0
    world.assert_books_agree()


def test_refunds_are_summed_up_by_what_was_refunded_each_time(world: World):
    world.subscribe(pay())
    world.tick()
    operator = Operator(world)
    operator.refund(amount=3000)
    operator.refund(amount=1900)
    relay()
    assert value(world, "again_refunds_total") == 2
    assert value(world, "again_refunded_won_total") == 4900
    assert value(world, "again_charges_paid_won_total", pg="kakaopay", declines="0") == 9900
    world.assert_books_agree()


def test_totals_are_those_of_the_events_that_were_published(world: World):
    for story in ((pay(),), (decline(*LOW), pay())):
        world.subscribe(*story)
    world.live(days=3)
    relay()
    with world.runtime.sessions() as session:
        rows = session.execute(text("SELECT type, count(*) AS events FROM events GROUP BY type"))
        published: dict[str, Any] = {row.type: row.events for row in rows}
    found = metrics(world)
    assert {name: found.get_sample_value("again_events_total", {"type": name}) for name in published} == published
    assert summed(world, "again_events_total") == sum(published.values())
    world.assert_books_agree()
