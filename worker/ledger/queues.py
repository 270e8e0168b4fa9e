"""The queues that claims take charges from: one per PG, oldest first, so that no PG's charges are read for another's.

`charges.queue` is kept by triggers. A charge that cannot be charged for long, for its key, its subscription, a
consent or the consent gate, leaves its queue here, and returns with the change that lets it be charged. What a stop of
its plan keeps waiting stands in a queue of that plan's own (`worker.ledger.plan_queues`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.database.mapping import OF_ITS_CHARGE
from worker.database.planning import plan_by_index
from worker.domain.blockers import Blocker
from worker.domain.stop_scopes import PLAN
from worker.domain.window_evidence import WINDOW_LIFE
from worker.ledger.blockers import BLOCKER_TABLES, CLAIMABLE, none_of, parameters

Place = tuple[datetime, int]
"""A place in a queue: when its charge is due, and the charge's id."""

HEAD: Place = (datetime.min.replace(tzinfo=UTC), 0)

LEAVE_AT_ONCE = 1000
"""Charges that leave their queue per transaction."""

LEAVES = frozenset({Blocker.SUBSCRIPTION, Blocker.BILLING_KEY, Blocker.CONSENT, Blocker.GATE})
"""The blockers with which a charge cannot be charged for long."""

QUEUE_OF_PLAN = f"'{PLAN}' || s.plan_id"
"""The queue of a subscription's plan, in which its charges stand while the plan is stopped: no claim reads it."""

MISPLACED = f"""(c.queue IS DISTINCT FROM k.pg AND c.queue IS DISTINCT FROM {QUEUE_OF_PLAN}
    AND (c.queue IS NOT NULL OR {none_of(LEAVES)}))"""
"""The condition that a charge `c` stands in another queue than its PG's or plan's, or in none though it could be
charged."""

# From one queue to the next by the index, never through what stands in one.
_WAITING = text(f"""
    WITH RECURSIVE waiting AS (
        (SELECT queue FROM charges WHERE status IN ('due', 'past_due') AND queue > '' ORDER BY queue LIMIT 1)
        UNION ALL
        SELECT (SELECT c.queue FROM charges c
                WHERE c.status IN ('due', 'past_due') AND c.queue > waiting.queue ORDER BY c.queue LIMIT 1)
        FROM waiting WHERE waiting.queue IS NOT NULL
    )
    SELECT queue FROM waiting WHERE starts_with(queue, '{PLAN}') = :of_plans
""")  # noqa: S608 - constants only

MAY_HAVE_LOST_WINDOWS = """COALESCE(c.period_start < (
    SELECT max(w.started_at) FROM sweeps w
    WHERE w.reason = 'restored' AND w.ended_early IS DISTINCT FROM 'clock_set' AND NOT EXISTS (
        SELECT FROM sweeps later
        WHERE later.finished_at IS NOT NULL AND later.since <= w.until
          AND later.until >= w.started_at + :window_life)), false)"""
"""The condition that a charge may have a window which a restored database has forgotten, with declines before it.

It ends when the forgotten windows have expired and a sweep has covered that time. Releasing the hold of a restore does
not shorten it.
"""

_DUE = text(f"""
    SELECT due.* FROM unnest(
        CAST(:queues AS text[]), CAST(:limits AS integer[]), CAST(:after_at AS timestamptz[]),
        CAST(:after_id AS bigint[])
    ) AS wanted(queue, most, after_at, after_id)
    CROSS JOIN LATERAL (
        SELECT {OF_ITS_CHARGE}, c.next_attempt_at AS due_at, last.number AS last_number, last.status AS last_status,
               last.merchant_uid AS last_merchant_uid, last.window_until AS last_window_until,
               ARRAY(SELECT e.merchant_uid FROM attempts e
                     WHERE e.charge_id = c.id AND e.status = 'declined' ORDER BY e.number) AS earlier,
               {MAY_HAVE_LOST_WINDOWS} AS may_have_lost_windows
        FROM charges c
        {BLOCKER_TABLES}
        CROSS JOIN LATERAL (SELECT * FROM plans WHERE id = s.plan_id OFFSET 0) p
        WHERE c.queue = wanted.queue AND (c.next_attempt_at, c.id) > (wanted.after_at, wanted.after_id)
          AND {CLAIMABLE} AND c.id <> ALL(:left_out)
        ORDER BY c.next_attempt_at, c.id
        LIMIT wanted.most
        FOR UPDATE OF c SKIP LOCKED
    ) due
""")  # noqa: S608 - constants only

# What lets such a charge be charged again locks these rows too, and then returns it: none is left out for good. Of
# what a stop keeps waiting, the queue itself says so.
_LEAVE = text(f"""
    UPDATE charges SET queue = blocked.queue
    FROM (
        SELECT c.id, CASE WHEN {none_of(LEAVES)} THEN {QUEUE_OF_PLAN} END AS queue
        FROM charges c JOIN subscriptions s ON s.id = c.subscription_id
        JOIN billing_keys k ON k.id = s.billing_key_id
        WHERE c.queue = ANY(:queues) AND c.status IN ('due', 'past_due') AND c.next_attempt_at <= :now
          AND (NOT ({none_of(LEAVES)}) OR s.plan_id = ANY(CAST(:stopped_plans AS bigint[])))
        LIMIT :limit
        FOR SHARE OF s, k SKIP LOCKED
        FOR UPDATE OF c SKIP LOCKED
    ) blocked
    WHERE charges.id = blocked.id
    RETURNING charges.id
""")  # noqa: S608 - constants only

_IDS = text("SELECT id FROM charges WHERE id > :after ORDER BY id LIMIT :limit")

# What is being changed just now is put into its queue by that, or by the next time.
_RETURN = text(f"""
    UPDATE charges SET queue = misplaced.pg
    FROM (
        SELECT c.id, k.pg FROM unnest(CAST(:ids AS bigint[])) AS asked(id)
        JOIN charges c ON c.id = asked.id
        JOIN subscriptions s ON s.id = c.subscription_id LEFT JOIN billing_keys k ON k.id = s.billing_key_id
        WHERE c.status IN ('due', 'past_due') AND {MISPLACED}
        FOR SHARE OF s SKIP LOCKED
        FOR UPDATE OF c SKIP LOCKED
    ) misplaced
    WHERE charges.id = misplaced.id
    RETURNING charges.id
""")  # noqa: S608 - constants only


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many charges a claim is to take from one queue at most, and behind which place of it."""

    limit: int
    after: Place = HEAD


def waiting_queues(session: Session) -> Sequence[str]:
    """List the queues of PGs in which charges wait, due or not; the transaction is one of `plan_by_index`."""
    return session.scalars(_WAITING, {"of_plans": False}).all()


def queues_of_plans(session: Session) -> Sequence[str]:
    """List the queues of plans in which charges wait, stopped or no more; the transaction is one of `plan_by_index`."""
    return session.scalars(_WAITING, {"of_plans": True}).all()


def due_charges(
    session: Session, wanted: Mapping[str, Wanted], asked: Mapping[str, Any], *, left_out: Sequence[int]
) -> Sequence[Row[Any]]:
    """Lock the next claimable charges of each queue, and return them with all that an attempt is made from.

    `asked` are the parameters of the blockers; the transaction is one of `plan_by_index`.
    """
    values = {
        **asked,
        "window_life": WINDOW_LIFE,
        "left_out": list(left_out),
        "queues": list(wanted),
        "limits": [each.limit for each in wanted.values()],
        "after_at": [each.after[0] for each in wanted.values()],
        "after_id": [each.after[1] for each in wanted.values()],
    }
    return session.execute(_DUE, values).all()


def leave_queues(session: Session, *, now: datetime, limit: int) -> int:
    """Take charges out of their queues that cannot be charged for long; return how many, `limit` if there may be more.

    They would be looked at by each claim, for as long as their key is not replaced or their plan is stopped.
    """
    plan_by_index(session)
    queues = list(waiting_queues(session))
    asked = {**parameters(session, now=now), "queues": queues, "limit": limit}
    return len(session.execute(_LEAVE, asked).all())


def return_misplaced(session: Session, *, after: int, limit: int) -> tuple[int, int | None]:
    """Put misplaced ones of the next charges by id into the queue of their PG; return how many, and the last id."""
    plan_by_index(session)
    ids = session.scalars(_IDS, {"after": after, "limit": limit}).all()
    returned = session.execute(_RETURN, {"ids": list(ids)}).all()
    return len(returned), ids[-1] if ids else None
