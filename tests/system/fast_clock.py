"""The Celery app on a machine whose clock is two minutes ahead, for everything that reads it through `worker.clock`."""

from __future__ import annotations

from datetime import datetime, timedelta

from worker import clock

AHEAD = timedelta(minutes=2)

_right = clock.system_clock


def _fast() -> datetime:
    return _right() + AHEAD


clock.system_clock = _fast

from tests.system.faults_app import app  # noqa: E402 - what is imported from here on reads the wrong clock

__all__ = ["app"]
