"""Beat's scheduler: it keeps nothing, for a tick says only "look now" and a lost one costs one interval.

Celery's usual one keeps a file; torn by a power failure it keeps beat from starting, and with a time in the future it
keeps beat silent until then. So does a clock that is set back while beat runs; this one notices, and
starts its intervals again.
"""

from __future__ import annotations

from datetime import timedelta
from time import monotonic
from typing import Any

import structlog
from celery.beat import Scheduler, SchedulingError

log = structlog.get_logger()

STEP = timedelta(seconds=5)
"""A clock that is set by less delays a tick by less."""


class StatelessScheduler(Scheduler):  # type: ignore[misc]
    """Sends each tick one interval after it started, or after the machine's clock was set, and so on from there."""

    _seen: tuple[float, Any] | None = None

    def tick(self, *given: Any, **more: Any) -> Any:
        """Send what is due; give the seconds until the next."""
        wall, running = self.app.now(), monotonic()
        if self._seen is not None:
            step = (wall - self._seen[1]) - timedelta(seconds=running - self._seen[0])
            if abs(step) > STEP:
                log.warning("the clock was set, every interval starts again", step_seconds=round(step.total_seconds()))
                self._restart_intervals(wall)
        self._seen = (running, wall)
        return super().tick(*given, **more)

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send one tick. One that cannot be sent is a line in the log: the next one says the same."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as error:
            log.error("tick not sent, the broker is not reached or full", task=entry.task, error=str(error))  # noqa: TRY400
        else:
            log.info("tick sent", task=entry.task)

    def _restart_intervals(self, now: Any) -> None:
        for entry in self.schedule.values():
            entry.last_run_at = now
        self._heap = None  # rebuilt from the entries
