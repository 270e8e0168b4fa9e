"""Slots for calls in flight, each PG with its own: one that hangs takes nothing from those that answer."""

from __future__ import annotations

from collections import Counter

PROBES = 20
"""A PG that answers nothing keeps the 20th part of its slots, by which it is noticed that it answers again."""


class PgSlots:
    """How many calls may be in flight through each PG at once: `most`, as long as its calls are answered.

    Each unanswered call takes a part of them away, for what is sent to a PG that hangs has to be looked up afterwards;
    each answer gives a part back. One customer's hanging call among many changes next to nothing.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._memory = max(4, most // 4)  # calls
        self._answered: dict[str, float] = {}  # the share of its latest calls that were answered
        self.in_flight: Counter[str] = Counter()

    def limit(self, pg: str) -> int:
        """Return how many calls may be in flight through a PG now."""
        return max(1, self._most // PROBES, round(self._most * self._answered.get(pg, 1.0)))

    def free(self, pg: str) -> int:
        """Return how many more calls may start now; below zero while more are in flight than are allowed by now."""
        return self.limit(pg) - self.in_flight[pg]

    def start(self, pg: str) -> None:
        self.in_flight[pg] += 1

    def end(self, pg: str, *, answered: bool) -> None:
        self.in_flight[pg] -= 1
        share = self._answered.get(pg, 1.0)
        self._answered[pg] = share + (float(answered) - share) / self._memory
