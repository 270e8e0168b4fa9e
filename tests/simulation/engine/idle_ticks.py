"""Beat's ticks that find nothing to do: one by one they would be most of a history, so only their trace is made."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.engine.world import World

EVERY_SECONDS = 60.0

# Another world's mode and prefix are forgotten, past the trigger that keeps them for good.
_OURS = """
    UPDATE database_identity SET identity = current_identity(), seen_at = :now, mode = NULL, prefix = NULL
    FROM (SELECT set_config('session_replication_role', 'replica', true)) without_triggers
"""

# A silence that was there before, and a copy, are left for a real tick to notice.
_SEEN = """
    UPDATE database_identity SET seen_at = :now
    WHERE seen_at BETWEEN :not_before AND :now AND identity = current_identity()
"""


class IdleTicks:
    """While ticks come and a worker takes them, the database is not silent; `come` is whether they do."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._last = 0.0
        self.come = world.hold_policy is not None

    def begin(self) -> None:
        """Mark the database as this world's own."""
        if self.come:
            self._world.change(_OURS, now=self._world.database_now())

    def go_to(self, when: float) -> None:
        """Leave the trace of the ticks until an instant."""
        if self.come and when <= self._last + EVERY_SECONDS:
            return
        if self.come and any(worker.alive and not worker.frozen for worker in self._world.workers):
            self._leave_a_trace(self._last, when)
        self._last = max(self._last, when)

    def _leave_a_trace(self, since: float, until: float) -> None:
        world = self._world
        if world.hold_policy is not None:
            not_before = self._database(since) - world.hold_policy.gap
            world.change(_SEEN, now=self._database(until - EVERY_SECONDS), not_before=not_before)

    def _database(self, when: float) -> datetime:
        return self._world.instant(when + self._world.database_ahead)
