"""Rate limit (token bucket) of each link's look-ups at PortOne. Above it a page answers from the database."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

BURST = 30
"""Look-ups without a pause: a page asks six times in twenty seconds, and some customers have several tabs."""

SECONDS_PER_LOOKUP = 2.0
"""After the burst, one look-up in this time."""

MAX_LINKS = 10_000
"""Links that are remembered. The least recently used one is forgotten first, and has a full bucket again."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float  # seconds of the monotonic clock


class RateLimit:
    """A token bucket per link. Only links with a valid signature are counted, so invented ones cannot fill it."""

    def __init__(self, *, monotonic: Callable[[], float] = monotonic) -> None:
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def allow(self, code: str) -> bool:
        """Take a token of the link; False when it has none left just now."""
        now = self._monotonic()
        bucket = self._buckets.setdefault(code, _Bucket(BURST, now))
        self._buckets.move_to_end(code)
        if len(self._buckets) > MAX_LINKS:
            self._buckets.popitem(last=False)
        bucket.tokens, bucket.at = min(BURST, bucket.tokens + (now - bucket.at) / SECONDS_PER_LOOKUP), now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True
