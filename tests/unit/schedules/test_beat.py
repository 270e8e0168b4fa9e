"""Beat's table."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schedules.beat import PUMP, Entry, beat_table


def seconds(table: tuple[Entry, ...]) -> dict[str, float]:
    return {entry.task: entry.every.total_seconds() for entry in table if isinstance(entry.every, timedelta)}


def test_every_task_has_one_row_with_its_interval():
    assert seconds(beat_table()) == {
        "again.apply_changes": 30,
        "again.open_charges": 60,
        "again.charge": 10,
        "again.reconcile": 30,
        "again.checkout_maintenance": 30,
        "again.sweep": 10,
        "again.refunds": 60,
        "again.relay": 1,
        "again.notices": 30,
        "again.check_invariants": 300,
        "again.watch": 60,
        "again.prune_events": 300,
        "again.make_partitions": 3600,
    }
    assert len(beat_table()) == len(seconds(beat_table()))


TICKS = [None, timedelta(seconds=20), timedelta(seconds=2), timedelta(milliseconds=200)]


@pytest.mark.parametrize("tick", TICKS)
def test_waiting_ticks_expire_before_they_pile_up(tick: timedelta | None):
    table = beat_table(tick)
    (pump,) = (entry for entry in table if entry.task == PUMP)
    for entry in table:
        assert isinstance(entry.every, timedelta)
        own = max(3 * entry.every, timedelta(seconds=5))
        assert entry.every < entry.expires <= (own if entry is pump else max(own, 3 * pump.expires))


@pytest.mark.parametrize("tick", TICKS)
def test_pump_ticks_expire_before_those_of_other_tasks(tick: timedelta | None):
    """While every worker process is in a pump run, the others' ticks wait; what expired first would never run."""
    table = beat_table(tick)
    (pump,) = (entry.expires for entry in table if entry.task == PUMP)
    assert all(entry.expires >= 3 * pump for entry in table if entry.task != PUMP)


@pytest.mark.parametrize(
    ("tick", "intervals"),
    [
        (1, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
        (20, [20, 20, 10, 20, 20, 10, 20, 1, 20, 20, 20, 20, 20]),  # an interval that is shorter already stays
        (3600, [30, 60, 10, 30, 30, 10, 60, 1, 30, 300, 60, 300, 3600]),
    ],
)
def test_one_setting_shortens_every_interval(tick: int, intervals: list[float]):
    table = beat_table(timedelta(seconds=tick))
    assert list(seconds(table).values()) == intervals
    assert [entry.task for entry in table] == [entry.task for entry in beat_table()]


def test_cron_entry_keeps_its_times_when_the_table_is_hurried():
    table = beat_table(timedelta(seconds=1), ((PUMP, timedelta(seconds=10)), ("again.nightly", "0 4 * * *")))
    assert table[1] == Entry("again.nightly", "0 4 * * *", timedelta(hours=1))


@pytest.mark.parametrize("tick", [timedelta(0), timedelta(seconds=-1)])
def test_tick_of_no_length_is_refused(tick: timedelta):
    with pytest.raises(ValueError, match="longer than nothing"):
        beat_table(tick)
