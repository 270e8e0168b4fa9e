"""One PG hangs, one customer hangs, one subscription is far behind: no other customer waits for them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.scenarios.conftest import World
from worker import tasks
from worker.charging.queue_walk import LOOK_AGAIN_SECONDS
from worker.sandbox.rules.behaviours import Behaviour, Reply, pay, slow, troubled

HANGS = troubled(Reply.HANG, charged=False)


@pytest.fixture
def small(world: World) -> World:
    """Return a world whose worker has five slots per PG, and whose calls hang for six seconds, longer than a run."""
    world.changed(max_in_flight=5, claim_chunk=5, pump_seconds=3.0, read_timeout_seconds=6.0)
    return world


def statuses(world: World, pg: str) -> dict[str, int]:
    rows = world.sql(
        "SELECT status, count(*) AS count FROM charges WHERE queue = :pg GROUP BY status ORDER BY status", pg=pg
    )
    return {row.status: row.count for row in rows}


def subscribe(world: World, count: int, pg: str, *story: Behaviour) -> None:
    for _ in range(count):
        world.subscribe(*story, pg=pg)
    tasks.open_charges()


def test_pg_that_hangs_and_was_due_first_holds_up_no_other(small: World):
    subscribe(small, 12, "payco", HANGS, pay())
    small.wait(minutes=1)
    subscribe(small, 30, "kakaopay")
    tasks.charge()
    assert statuses(small, "kakaopay") == {"paid": 30}
    assert statuses(small, "payco") == {"charging": 5, "due": 7}
    assert len(small.portone.charges()) == 30


def test_calls_that_hang_are_written_back_after_their_run_has_ended(small: World):
    subscribe(small, 3, "payco", HANGS, pay())
    assert tasks.charge()["claimed"] == 3
    small.restart_worker()  # waits for them
    assert [attempt.status for attempt in small.attempts()] == ["unknown"] * 3
    small.live(days=2)
    assert statuses(small, "payco") == {"paid": 3}
    small.assert_books_agree()


def test_customer_whose_call_hangs_holds_up_no_other_of_the_same_pg(small: World):
    subscribe(small, 1, "kakaopay", HANGS, pay())
    small.wait(minutes=1)
    subscribe(small, 30, "kakaopay")
    tasks.charge()
    assert statuses(small, "kakaopay") == {"charging": 1, "paid": 30}
    assert len(small.portone.charges()) == 30


def test_subscription_with_fifty_arrears_holds_up_no_other(world: World):
    world.plan("daily", cadence="day", max_open_charges="50")
    late = world.subscribe(plan="daily")
    world.wait(days=49)
    others = [world.subscribe(plan="daily", starts_on=(world.now - timedelta(days=1)).date()) for _ in range(3)]
    for _ in range(5):
        tasks.open_charges()
    tasks.charge()
    assert {charge.status.value for code in others for charge in world.charges(code)} == {"paid"}
    assert {charge.status.value for charge in world.charges(late)} == {"paid"}
    world.assert_books_agree()


def test_run_ends_with_its_last_call_though_no_queue_has_a_name_any_more(world: World):
    world.changed(read_timeout_seconds=10.0)
    world.subscribe(slow(LOOK_AGAIN_SECONDS + 0.5), pay())
    tasks.open_charges()
    pumped = tasks.charge()
    assert (pumped["paid"], pumped["ended"]) == (1, "nothing due")
    world.assert_books_agree()
