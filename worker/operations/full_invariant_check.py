"""A full pass of the invariants: every charge and every subscription, however long ago it last changed.

It finds what came another way than through the audit: a backup of parts, a statement by hand with triggers off. Each
slice is judged in a transaction of its own, so nothing waits for a pass, and one that was interrupted is gone on with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.orm import Session

from worker.database.engine import Sessions
from worker.domain.clock import Clock
from worker.operations import all_rows, full_pass_queries, invariant_results
from worker.operations.all_rows import Place
from worker.operations.invariant_judge import Judge
from worker.operations.invariants import Thresholds


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a full pass has come, and where it ends."""

    reached: Place
    end: Place

    def sentence(self) -> str:
        return (
            f"judged charges up to {self.reached.charge:,} of {self.end.charge:,} and subscriptions up to "
            f"{self.reached.subscription:,} of {self.end.subscription:,}"
        )


def run(sessions: Sessions, *, clock: Clock, thresholds: Thresholds) -> Iterator[Progress]:
    """Judge every row, from where an unfinished pass was left; yields how far it has come after each slice.

    What does not hold is recorded, and judged by the periodic check until it does. Repairs nothing.
    """
    with sessions() as session:
        reached, end = Place(*session.execute(full_pass_queries.REACHED).one()), all_rows.end(session)
    yield Progress(reached, end)
    while True:
        with sessions.begin() as session:
            following = _judge_next(session, reached, clock=clock, thresholds=thresholds)
        if following is None:
            return
        reached = following
        yield Progress(reached, end)


def _judge_next(session: Session, reached: Place, *, clock: Clock, thresholds: Thresholds) -> Place | None:
    now = clock()
    judge = Judge(session, now=now, thresholds=thresholds)
    following = all_rows.after(session, reached)
    if following is None:
        session.execute(full_pass_queries.FINISH, {"now": now})
        return None
    touched, place = following
    judge.judge(touched)
    if broken := judge.broken():
        invariant_results.lock(session)  # or a check that does not know of these would delete them
        invariant_results.record_more(session, broken, now=now)
    session.execute(full_pass_queries.MOVE, {"charge": place.charge, "subscription": place.subscription})
    return place
