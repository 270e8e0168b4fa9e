"""The queues of stopped plans: what waits there is read by no claim, however much it is.

A stop moves what waits already, opening adds what begins meanwhile, and what comes otherwise follows at the end of a
run (`worker.ledger.queues.leave_queues`). A queue whose plan is not stopped any more says itself that its charges have
to return: whatever was interrupted, the next run finds it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.planning import plan_by_index
from worker.domain.stop_scopes import PLAN
from worker.ledger.queues import QUEUE_OF_PLAN, Place, queues_of_plans

RETURN_AT_ONCE = 1000
"""Charges that return to the queues of their PGs per transaction."""

QUEUE_OPENED_INTO = f"""CASE WHEN EXISTS (SELECT FROM stops h WHERE h.plan_id = s.plan_id) AND k.pg IS NOT NULL
    THEN {QUEUE_OF_PLAN} ELSE k.pg END"""
"""The queue into which a charge of a subscription `s` with a billing key `k` is opened."""

_NEXT = text("""
    SELECT id, next_attempt_at FROM charges
    WHERE queue = :queue AND status IN ('due', 'past_due') AND (next_attempt_at, id) > (:after_at, :after_id)
    ORDER BY next_attempt_at, id LIMIT :limit
""")

# A subscription that is being changed may go to another plan: what is locked leaves at the end of a run.
_SET_ASIDE = text(f"""
    UPDATE charges SET queue = aside.queue
    FROM (
        SELECT c.id, {QUEUE_OF_PLAN} AS queue FROM unnest(CAST(:ids AS bigint[])) AS asked(id)
        JOIN charges c ON c.id = asked.id JOIN subscriptions s ON s.id = c.subscription_id
        WHERE c.queue = :queue AND c.status IN ('due', 'past_due') AND s.plan_id = :plan_id
        FOR SHARE OF s SKIP LOCKED
        FOR UPDATE OF c SKIP LOCKED
    ) aside
    WHERE charges.id = aside.id
    RETURNING charges.id
""")  # noqa: S608 - constants only

_UNSTOPPED = text(f"""
    SELECT queue FROM unnest(CAST(:queues AS text[])) AS asked(queue)
    WHERE NOT EXISTS (SELECT FROM stops WHERE '{PLAN}' || plan_id = asked.queue)
""")  # noqa: S608 - constants only

# What is being changed just now returns the next time.
_RETURN = text("""
    UPDATE charges SET queue = back.pg
    FROM (
        SELECT c.id, k.pg FROM charges c
        JOIN subscriptions s ON s.id = c.subscription_id LEFT JOIN billing_keys k ON k.id = s.billing_key_id
        WHERE c.queue = ANY(:queues) AND c.status IN ('due', 'past_due')
        LIMIT :limit
        FOR SHARE OF s SKIP LOCKED
        FOR UPDATE OF c SKIP LOCKED
    ) back
    WHERE charges.id = back.id
    RETURNING charges.id
""")


def set_aside(session: Session, plan_id: int, *, queue: str, after: Place, limit: int) -> tuple[int, Place | None]:
    """Move those of the next charges of a PG's queue that are of a plan into that plan's queue.

    Returns how many, and the place behind which to go on; None at the end.
    """
    plan_by_index(session)
    asked = {"queue": queue, "after_at": after[0], "after_id": after[1], "limit": limit}
    rows = session.execute(_NEXT, asked).all()
    if not rows:
        return 0, None
    moved = session.execute(_SET_ASIDE, {"ids": [row.id for row in rows], "queue": queue, "plan_id": plan_id}).all()
    return len(moved), (rows[-1].next_attempt_at, rows[-1].id)


def unstopped(session: Session) -> Sequence[str]:
    """List the queues of plans that are stopped no more, in which charges still stand."""
    plan_by_index(session)
    queues = list(queues_of_plans(session))
    return session.scalars(_UNSTOPPED, {"queues": queues}).all() if queues else ()


def return_charges(session: Session, queues: Sequence[str], *, limit: int) -> int:
    """Return charges from queues of plans to those of their PGs; how many, `limit` if there may be more."""
    plan_by_index(session)
    return len(session.execute(_RETURN, {"queues": list(queues), "limit": limit}).all())
