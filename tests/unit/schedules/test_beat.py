"""The table of ticks."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schedules.beat import BEAT, Entry, beat_table


def seconds(table: tuple[Entry, ...]) -> dict[str, float]:
    return {entry.task: entry.every.total_seconds() for entry in table if isinstance(entry.every, timedelta)}


def test_every_task_has_its_tick():
    assert seconds(BEAT) == {
        "again.open_charges": 60,
        "again.charge": 10,
        "again.reconcile": 30,
        "again.sweep": 10,
        "again.check_invariants": 300,
    }
    assert len({entry.name for entry in BEAT}) == len(BEAT)


@pytest.mark.parametrize("tick", [None, timedelta(seconds=20), timedelta(seconds=2), timedelta(milliseconds=200)])
def test_waiting_ticks_are_dropped_before_they_pile_up(tick):
    for entry in beat_table(tick):
        assert isinstance(entry.every, timedelta)
        assert entry.every < entry.expires <= max(3 * entry.every, timedelta(seconds=5))


def test_without_a_setting_the_table_is_as_written():
    assert beat_table() == BEAT


@pytest.mark.parametrize(
    ("tick", "intervals"),
    [
        (1, [1, 1, 1, 1, 1]),
        (20, [20, 10, 20, 10, 20]),  # an interval that is shorter already stays
        (3600, [60, 10, 30, 10, 300]),
    ],
)
def test_one_setting_shortens_every_interval(tick, intervals):
    table = beat_table(timedelta(seconds=tick))
    assert list(seconds(table).values()) == intervals
    assert [entry.name for entry in table] == [entry.name for entry in BEAT]


def test_a_cron_entry_keeps_its_times():
    nightly = Entry("sweep", "again.sweep", "0 4 * * *", timedelta(hours=1))
    assert nightly.at_most(timedelta(seconds=1)) == nightly


@pytest.mark.parametrize("tick", [timedelta(0), timedelta(seconds=-1)])
def test_a_tick_that_takes_no_time_is_refused(tick):
    with pytest.raises(ValueError, match="longer than nothing"):
        beat_table(tick)
