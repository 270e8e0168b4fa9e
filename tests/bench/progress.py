"""How far a run of the workers has come, asked of the database now and then, and how fast it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic, sleep

from sqlalchemy import Engine, text

POLL_SECONDS = 0.5

# The last subscriptions are claimed last, so that one look at the index of open charges is enough.
_OPEN = text("""
    SELECT c.subscription_id FROM charges c
    WHERE c.status IN ('due', 'charging', 'past_due') AND c.subscription_id > :above AND c.subscription_id <= :last
    ORDER BY c.subscription_id DESC LIMIT 1
""")

_SETTLED = text("""
    SELECT a.settled_at FROM attempts a JOIN charges c ON c.id = a.charge_id
    WHERE a.status = 'paid' AND a.started_at >= :since AND c.subscription_id > :above AND c.subscription_id <= :last
    ORDER BY a.settled_at
""")

_FIRST_CLAIM = text("SELECT min(started_at) FROM attempts WHERE started_at >= :since")

EVERY_SUBSCRIPTION = 2**62
"""A bound that is above every id."""


def wait_until(done: Callable[[], bool], *, patience: float, sample: Callable[[], None] = lambda: None) -> bool:
    """Return whether it was done within so many seconds; `sample` is called now and then meanwhile."""
    deadline = monotonic() + patience
    while monotonic() < deadline:
        sample()
        if done():
            return True
        sleep(POLL_SECONDS)
    return False


def is_settled(engine: Engine, *, above: int = 0, last: int = EVERY_SUBSCRIPTION) -> bool:
    """Return whether nothing of these subscriptions is due or in flight."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        return connection.scalar(_OPEN, {"above": above, "last": last}) is None


def settled_seconds(
    engine: Engine, since: datetime, *, above: int = 0, last: int = EVERY_SUBSCRIPTION
) -> Sequence[float]:
    """Return when payments of these subscriptions were written back: seconds since the first claim, rising."""
    with engine.connect() as connection:
        settled = connection.scalars(_SETTLED, {"since": since, "above": above, "last": last}).all()
        first = connection.scalar(_FIRST_CLAIM, {"since": since})
    return [(at - first).total_seconds() for at in settled]


def rate(seconds: Sequence[float]) -> float:
    """Return settled charges per second, from the first claim to the last write-back; 0 for none."""
    return len(seconds) / seconds[-1] if seconds else 0.0
