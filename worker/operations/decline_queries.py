"""Declines as their texts have them: the newest of each kind, by an index, and never more than so many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.planning import plan_by_index
from worker.domain.outcomes import DeclineKind

MOST_READ = 20_000
"""Declines of one kind that are read at most, the newest first."""

EXAMPLES = 3

# `bare`: of a text that was kept while it was looked up, PortOne's own code stands in front. A charge waits for what
# its newest attempt has left it waiting for. A key that died of another decline is none of this one's.
_DECLINES = text("""
    SELECT k.pg, d.message, d.code IS NULL AS bare, d.decline_kind AS kind, count(*) AS declines,
           max(d.settled_at) AS last_at,
           (array_agg(d.charge_id ORDER BY d.settled_at DESC))[1 : :examples] AS charges,
           COALESCE((array_agg(d.charge_id ORDER BY d.settled_at DESC)
               FILTER (WHERE c.status IN ('due', 'past_due') AND newest.id = d.id))[1 : :most], '{}') AS waiting,
           COALESCE((array_agg(d.charge_id ORDER BY d.settled_at DESC)
               FILTER (WHERE c.status = 'uncollectible' AND newest.id = d.id))[1 : :most], '{}') AS given_up,
           COALESCE(array_agg(DISTINCT k.id)
               FILTER (WHERE k.status = 'dead' AND k.forget_at IS NULL AND d.decline_kind = 'hard'
                       AND k.status_reason = d.status_reason), '{}') AS dead_keys
    FROM unnest(CAST(:kinds AS text[])) AS kinds(kind)
    CROSS JOIN LATERAL (
        SELECT a.id, a.charge_id, a.billing_key_id, a.message, a.code, a.decline_kind, a.status_reason, a.settled_at
        FROM attempts a
        WHERE a.status = 'declined' AND a.decline_kind = kinds.kind AND a.settled_at >= :since
        ORDER BY a.settled_at DESC LIMIT :most
    ) d
    JOIN charges c ON c.id = d.charge_id
    JOIN billing_keys k ON k.id = d.billing_key_id
    CROSS JOIN LATERAL (
        SELECT id FROM attempts later WHERE later.charge_id = d.charge_id ORDER BY later.number DESC LIMIT 1
    ) newest
    WHERE k.pg = COALESCE(CAST(:pg AS text), k.pg)
    GROUP BY k.pg, d.message, bare, d.decline_kind
    ORDER BY declines DESC, last_at DESC
""")

# What is looked up now, few at any time: no rule knew its words either.
_LOOKED_UP = text("""
    SELECT k.pg, a.refusal AS message, count(*) AS declines, max(a.status_at) AS last_at,
           (array_agg(a.charge_id ORDER BY a.status_at DESC))[1 : :examples] AS charges
    FROM (
        SELECT * FROM attempts
        WHERE status = 'unknown' AND status_reason = 'refusal_not_known' AND refusal IS NOT NULL AND status_at >= :since
        ORDER BY status_at DESC LIMIT :most
    ) a
    JOIN billing_keys k ON k.id = a.billing_key_id
    WHERE k.pg = COALESCE(CAST(:pg AS text), k.pg)
    GROUP BY k.pg, a.refusal
    ORDER BY declines DESC, last_at DESC
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclinedAlike:
    """Declines of one PG with one text. `message` is as PortOne gave it, and may name the buyer.

    `waiting` and `given_up` are charges of which this is the newest attempt, and `dead_keys` the keys it has killed.
    """

    pg: str
    message: str | None
    bare: bool
    kind: DeclineKind
    declines: int
    last_at: datetime
    charges: Sequence[int]
    waiting: Sequence[int]
    given_up: Sequence[int]
    dead_keys: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedUp:
    """Attempts of one PG that were refused with one text that no rule knows, and are being looked up."""

    pg: str
    message: str
    declines: int
    last_at: datetime
    charges: Sequence[int]


def declined_alike(
    session: Session, kinds: Sequence[DeclineKind], *, since: datetime, pg: str | None = None
) -> Sequence[DeclinedAlike]:
    """List the declines of some kinds since an instant by PG and text, the most frequent first."""
    plan_by_index(session)
    given = {"kinds": [kind.value for kind in kinds], "since": since, "pg": pg}
    found = session.execute(_DECLINES, {**given, "most": MOST_READ, "examples": EXAMPLES})
    return [DeclinedAlike(**{**row._mapping, "kind": DeclineKind(row.kind)}) for row in found]  # noqa: SLF001 - public


def looked_up(session: Session, *, since: datetime, pg: str | None = None) -> Sequence[LookedUp]:
    """List what is looked up because no rule knows its words, by PG and text."""
    found = session.execute(_LOOKED_UP, {"since": since, "pg": pg, "most": MOST_READ, "examples": EXAMPLES})
    return [LookedUp(**row._mapping) for row in found]  # noqa: SLF001 - public
