"""Trouble outside of the workers in a long history: at PortOne, with beat, and by a restored backup."""

from __future__ import annotations

from functools import partial
from random import Random

from tests.simulation.engine.backup import back_up
from tests.simulation.engine.outside import correct, restore, wrongly_failed
from tests.simulation.engine.world import World
from worker.sandbox.switches import Outage

HOUR, DAY = 3600.0, 86_400.0
LONGEST_LOST = 3 * DAY  # of the time between a backup and its restore; with it, a correction is within a regular sweep

_HELD = "SELECT id FROM sweeps WHERE finished_at IS NULL AND holds_claims"


class Mishaps:
    """The mishaps of a history, drawn from the same seed."""

    def __init__(self, world: World, draw: Random, *, ends: float) -> None:
        self._world, self._draw = world, draw
        self._backups = sorted(draw.uniform(0, ends) for _ in range(draw.choice((0, 1, 1, 2))))
        self._restore_at: float | None = None

    def happen(self) -> None:
        """Make something happen, or nothing, at about the time of the next ticks."""
        draw, world = self._draw, self._world
        world.idle_ticks.come = draw.random() > 0.05
        if draw.random() < 0.02 and not self.is_held():
            self._outage()
        self.correct(0.2)
        if self._restore_at is not None and world.time >= self._restore_at:
            self._restore_at = None
            world.after(self._with_requests_under_way(), partial(restore, world))
        elif self._restore_at is None and self._backups and world.time >= self._backups[0]:
            del self._backups[0]
            longest = draw.choice((HOUR, LONGEST_LOST, LONGEST_LOST))
            self._restore_at = world.time + 2 * HOUR + draw.uniform(0, longest)
            world.after(self._with_requests_under_way(), partial(back_up, world.engine))

    def correct(self, chance: float) -> None:
        """Make PortOne correct payments that it has recorded as failed."""
        for imp_uid in wrongly_failed(self._world):
            if self._draw.random() < chance:
                correct(self._world, imp_uid)

    def is_held(self) -> bool:
        return bool(self._world.sql(_HELD))

    def end(self) -> None:
        """End all trouble."""
        self._world.idle_ticks.come = True
        self._world.sandbox.change_switches({"outage": Outage.NONE})
        self.correct(1.0)

    def _with_requests_under_way(self) -> float:
        return self._draw.choice(
            (0.0, self._draw.uniform(0, 1), self._draw.uniform(0, 70), self._draw.uniform(0, HOUR))
        )

    def _outage(self) -> None:
        draw, world = self._draw, self._world
        world.sandbox.change_switches({"outage": draw.choice(tuple(Outage))})
        world.after(draw.uniform(60, DAY / 3), lambda: world.sandbox.change_switches({"outage": Outage.NONE}))
