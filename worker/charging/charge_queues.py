"""What is done with the queues besides claiming: their names are read, and they are cleared of blocked charges."""

from __future__ import annotations

from collections.abc import Sequence

from worker.database.engine import Sessions
from worker.database.planning import plan_by_index
from worker.domain.clock import Clock
from worker.ledger import plan_queues, queues

MOST_RELEASES = 20
"""Transactions of one run that take charges out of their queues, or return them."""

ASIDE_AT_ONCE = 2000
"""Charges that one transaction looks at to find those of a stopped plan."""


def queue_names(sessions: Sessions) -> Sequence[str]:
    """List the queues in which charges wait, once what waited in those of plans that were started has returned."""
    return_started(sessions)
    return _pg_queues(sessions)


def return_started(sessions: Sessions, *, most: int = MOST_RELEASES) -> int:
    """Return charges of plans that are stopped no more to the queues of their PGs; how many there were.

    At most so many that the run goes on soon; the others return with the next look.
    """
    returned = 0
    for _ in range(most):
        with sessions.begin() as session:
            started = plan_queues.unstopped(session)
            if not started:
                break
            count = plan_queues.return_charges(session, started, limit=plan_queues.RETURN_AT_ONCE)
        returned += count
        if count == 0:  # all that is left is being changed
            break
    return returned


def set_plan_aside(sessions: Sessions, plan_id: int) -> int:
    """Take what waits of a stopped plan out of the queues of the PGs, so that no claim looks at it; return how many."""
    moved = 0
    for queue in _pg_queues(sessions):
        place: queues.Place | None = queues.HEAD
        while place is not None:
            with sessions.begin() as session:
                count, place = plan_queues.set_aside(session, plan_id, queue=queue, after=place, limit=ASIDE_AT_ONCE)
            moved += count
    return moved


def _pg_queues(sessions: Sessions) -> Sequence[str]:
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
