"""Putting charges back into the queue of their PG: what an operator does about charges that no claim finds."""

from __future__ import annotations

from worker.database.engine import Sessions
from worker.ledger import queues

SLICE = 2000
"""Charges that are looked at per transaction."""


def requeue(sessions: Sessions) -> int:
    """Put every charge that stands in no queue, or in one of another PG, where it belongs; return how many did.

    What cannot be charged for long stands in none, and stays there.
    """
    total, after = 0, 0
    while True:
        with sessions.begin() as session:
            returned, last = queues.return_misplaced(session, after=after, limit=SLICE)
        total += returned
        if last is None:
            return total
        after = last
