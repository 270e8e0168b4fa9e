"""How often one link may have PortOne asked: a browser that asks without end gets what the database knows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

BURST = 30
"""So often without a pause: a page asks six times in twenty seconds, and some customers have several tabs."""

SECONDS_PER_LOOKUP = 2.0
"""After that, once in so long."""

MAX_LINKS = 10_000
"""So many are remembered; the one that has not been used for longest is forgotten first, and begins anew."""


@dataclass(slots=True)
class _Left:
    turns: float
    at: float  # seconds of the monotonic clock


class RateLimit:
    """A bucket of turns for each link. What is counted has a valid signature, so nobody fills it with made-up ones."""

    def __init__(self, *, monotonic: Callable[[], float] = monotonic) -> None:
        self._monotonic = monotonic
        self._left: OrderedDict[str, _Left] = OrderedDict()

    def take(self, code: str) -> bool:
        """Take a turn, or say that there is none just now."""
        now = self._monotonic()
        left = self._left.setdefault(code, _Left(BURST, now))
        self._left.move_to_end(code)
        if len(self._left) > MAX_LINKS:
            self._left.popitem(last=False)
        left.turns, left.at = min(BURST, left.turns + (now - left.at) / SECONDS_PER_LOOKUP), now
        if left.turns < 1:
            return False
        left.turns -= 1
        return True
