"""The Celery app on a machine whose clock is set all the time, for all that reads it through `worker.domain.clock`.

It is two hours ahead for some seconds, then two hours behind: in the middle of tasks, claims and calls.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from time import monotonic

from worker.domain import clock

AWAY = timedelta(hours=2)
SET_EVERY_SECONDS = 5.0

_right = clock.system_clock


def _set_all_the_time() -> datetime:
    ahead = int(monotonic() / SET_EVERY_SECONDS) % 2 == 0
    return _right() + (AWAY if ahead else -AWAY)


clock.system_clock = _set_all_the_time

from tests.system.faults_app import app  # noqa: E402 - what is imported from here on reads the wrong clock

__all__ = ["app"]
