"""What a pump run does with the queues besides claiming: it reads their names, and clears them of blocked charges."""

from __future__ import annotations

from collections.abc import Sequence

from worker.database.engine import Sessions
from worker.database.planning import plan_by_index
from worker.domain.clock import Clock
from worker.ledger import queues

MOST_RELEASES = 20
"""Transactions of one run that take charges out of their queues."""


def queue_names(sessions: Sessions) -> Sequence[str]:
    """List the queues in which charges wait."""
    with sessions() as session:
        plan_by_index(session)
        return queues.waiting_queues(session)


def release_blocked(sessions: Sessions, clock: Clock) -> None:
    """Take charges that cannot be charged for long out of their queues, so that no claim looks at them again.

    At most so many that the run ends in time; the others leave with the next one.
    """
    for _ in range(MOST_RELEASES):
        with sessions.begin() as session:
            left = queues.leave_queues(session, now=clock(), limit=queues.LEAVE_AT_ONCE)
        if left < queues.LEAVE_AT_ONCE:
            return
