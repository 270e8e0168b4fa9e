"""A charge that stands in a queue where it does not belong, or in none: it is charged, or told and put right."""

from __future__ import annotations

from tests.scenarios.conftest import World
from worker import tasks
from worker.operations.requeue import requeue


def test_charge_in_the_queue_of_another_pg_is_charged_through_its_own(world: World):
    subscriptions = [world.subscribe(pg=pg) for pg in ("payco", "payco", "kakaopay")]
    tasks.open_charges()
    world.sql("UPDATE charges SET queue = 'toss'")
    assert tasks.charge()["claimed"] == len(subscriptions)
    assert world.statuses() == {"paid": 3}
    world.assert_books_agree()


def test_charge_in_no_queue_is_told_and_put_into_its_own(world: World):
    healthy, dead, forgotten = (world.subscribe(pg=pg) for pg in ("payco", "payco", "kakaopay"))
    tasks.open_charges()
    world.sql(
        """UPDATE billing_keys SET status = 'dead' WHERE id = (
                 SELECT billing_key_id FROM subscriptions WHERE code = :code)""",
        code=dead,
    )
    world.sql("UPDATE charges SET queue = NULL WHERE queue = 'kakaopay'")
    assert tasks.charge()["claimed"] == 1
    assert tasks.charge()["claimed"] == 0
    (charge,) = world.charges(forgotten)
    assert world.broken_invariants() == {"charge_stands_in_the_queue_of_its_pg": (charge.id,)}
    assert (requeue(world.runtime.sessions), requeue(world.runtime.sessions)) == (1, 0)
    assert tasks.charge()["claimed"] == 1
    assert world.statuses() == {"paid": 2, "due": 1}
    assert world.paid_periods().keys() == {(code, charge.period_start) for code in (healthy, forgotten)}
    world.assert_books_agree()
