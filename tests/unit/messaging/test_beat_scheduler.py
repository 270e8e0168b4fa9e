"""Beat keeps nothing, and no clock that is set keeps it from sending."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from celery import Celery

from worker.app import app as ours
from worker.app import configuration
from worker.messaging import beat_scheduler
from worker.messaging.beat_scheduler import StatelessScheduler

EVERY = {"fast": 10, "slow": 60}


class Clocks:
    """The machine's clock, which can be set, and the one that only runs."""

    def __init__(self) -> None:
        self.wall, self.running = datetime(2027, 3, 1, tzinfo=UTC), 1000.0

    def run(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.running += seconds

    def set(self, step: timedelta) -> None:
        self.wall += step


class Beat:
    """A scheduler on clocks of the test's, sending to a broker in this process."""

    def __init__(self, clocks: Clocks, monkeypatch: pytest.MonkeyPatch) -> None:
        self.app = Celery("beat", broker="memory://", set_as_current=False)
        self.app.conf.beat_schedule = {
            name: {"task": name, "schedule": timedelta(seconds=seconds)} for name, seconds in EVERY.items()
        }
        monkeypatch.setattr(self.app, "now", lambda: clocks.wall)
        monkeypatch.setattr(beat_scheduler, "monotonic", lambda: clocks.running)
        self.sent: list[str] = []
        monkeypatch.setattr(self.app, "send_task", lambda name, *_, **__: self.sent.append(name))
        self.clocks = clocks
        self.scheduler = StatelessScheduler(self.app, max_interval=1, sync_every_tasks=1)

    def run(self, seconds: int) -> list[str]:
        """Let time pass, a second at a time, and give what was sent in it."""
        self.sent.clear()
        for _ in range(seconds):
            self.clocks.run(1)
            while self.scheduler.tick() == 0:
                pass
        return sorted(self.sent)


@pytest.fixture
def beat(monkeypatch: pytest.MonkeyPatch) -> Beat:
    return Beat(Clocks(), monkeypatch)


@pytest.mark.parametrize("step", [timedelta(hours=-9), timedelta(days=-400), timedelta(seconds=-30)], ids=str)
def test_beat_goes_on_at_once_when_the_clock_is_set_back(beat: Beat, step: timedelta):
    assert beat.run(65) == ["fast"] * 6 + ["slow"]
    beat.clocks.set(step)
    # Every tick within its interval, as though beat had been started then.
    assert beat.run(65) == ["fast"] * 6 + ["slow"]


def test_beat_sends_no_burst_when_the_clock_is_set_forward(beat: Beat):
    beat.run(65)
    beat.clocks.set(timedelta(hours=9))
    assert beat.run(65) == ["fast"] * 6 + ["slow"]


def test_beat_is_the_one_without_a_memory_however_it_is_started(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AGAIN_DATABASE_URL", "postgresql://nobody@localhost/none")
    monkeypatch.setenv("AGAIN_BROKER_URL", "memory://")
    named = configuration()["beat_scheduler"]
    assert named == f"{StatelessScheduler.__module__}:{StatelessScheduler.__name__}"
    assert ours.Beat(app=ours, scheduler=named).scheduler_cls == named
