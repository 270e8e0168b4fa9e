"""A restored database tells of what it finds again as of the same facts, behind everything that was told before."""

from __future__ import annotations

from pathlib import Path

from tests.scenarios.conftest import World
from tests.scenarios.restore.test_restored import Backup, catch_up
from tests.support.events import published
from worker.domain.events.types import EventType
from worker.sandbox.rules.behaviours import decline, pay


def test_fact_that_is_found_again_after_a_restore_has_the_same_id(world: World, database_url: str, tmp_path: Path):
    world.plan(dunning="1")
    for story in ([pay()], [decline(), pay()], [pay()]):
        world.subscribe(*story)
    published(world.runtime.sessions)
    backup = Backup(world, database_url, tmp_path / "last-night.dump")
    world.live(days=2)
    before = published(world.runtime.sessions)
    paid = {event.id for event in before if event.type is EventType.CHARGE_PAID}
    assert len(paid) == 3
    backup.restore()
    catch_up(world)
    after = [event for event in published(world.runtime.sessions) if event.position > before[-1].position]
    assert {event.id for event in after if event.type is EventType.CHARGE_PAID} == paid
    assert not {event.id for event in after if event.type is EventType.CHARGE_DECLINED} - {e.id for e in before}
    world.assert_books_agree()
