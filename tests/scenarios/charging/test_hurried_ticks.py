"""The tick that a pump sends itself when there is more to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from schedules.beat import Entry, beat_table
from tests.scenarios.conftest import World
from worker import process, tasks
from worker.process import Process
from worker.sandbox.rules.behaviours import pay, slow


@pytest.mark.parametrize("tick_seconds", [None, 1.0])
def test_pumps_own_tick_expires_before_those_of_other_tasks(
    world: World, monkeypatch: pytest.MonkeyPatch, tick_seconds: float | None
):
    """Otherwise it alone would survive in a queue that is never empty, and the others' ticks never."""
    sent: list[Entry] = []
    monkeypatch.setattr(tasks, "send", sent.append)
    settings = world.runtime.settings.model_copy(update={"pump_seconds": 1e-6, "tick_seconds": tick_seconds})
    process._current = Process(replace(world.runtime, settings=settings))
    assert tasks.charge()["ended"] == "time budget spent"
    (own,) = sent
    assert own in beat_table(settings.tick)
    others = [entry for entry in beat_table(settings.tick) if entry != own]
    assert own.expires == timedelta(seconds=5 if tick_seconds else 30)
    assert all(entry.expires >= 3 * own.expires for entry in others)


@pytest.mark.parametrize(("due", "told"), [(5, ["again.charge"]), (1, [])])
def test_run_with_more_due_than_it_has_slots_tells_another_process_once(
    world: World, monkeypatch: pytest.MonkeyPatch, due: int, told: list[str]
):
    sent: list[Entry] = []
    monkeypatch.setattr(tasks, "send", sent.append)
    world.changed(max_in_flight=2, claim_chunk=2)
    for _ in range(due):
        world.subscribe(slow(0.2), pay())
    tasks.open_charges()
    assert tasks.charge()["paid"] == due
    assert [entry.task for entry in sent] == told
    world.assert_books_agree()
