"""SQL of what has happened, for notices that were kept until now: the event, and how its charge stands by now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.ledger.archive import answer_of

# Events have no unique id: one that was told again after a restore has it too, and says the same.
_FACTS = text(f"""
    SELECT n.id, e.at, e.data, s.code, p.name, p.time_zone, c.id AS charge_id, c.status AS charge_status,
           c.next_attempt_at,           {answer_of("a")} ->> 'receipt_url' AS receipt_url
    FROM unnest(CAST(:ids AS bigint[])) AS listed(id)
    CROSS JOIN LATERAL (SELECT * FROM notices WHERE id = listed.id OFFSET 0) n
    CROSS JOIN LATERAL (SELECT * FROM events WHERE id = n.source ORDER BY position LIMIT 1) e
    CROSS JOIN LATERAL (SELECT * FROM subscriptions WHERE id = n.subscription_id OFFSET 0) s
    CROSS JOIN LATERAL (SELECT * FROM plans WHERE id = s.plan_id OFFSET 0) p
    LEFT JOIN LATERAL (
        SELECT * FROM charges WHERE id = CAST(e.data #>> '{{charge,id}}' AS bigint) OFFSET 0) c ON true
    LEFT JOIN LATERAL (
        SELECT * FROM attempts WHERE merchant_uid = e.data #>> '{{attempt,merchant_uid}}' OFFSET 0) a ON true
""")  # noqa: S608 - constants only


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedFact:
    """What a kept notice is about."""

    id: int  # the notice's
    at: datetime
    data: Mapping[str, Any]  # of the event
    code: str
    name: str
    time_zone: str
    charge_id: int | None
    charge_status: str | None
    next_attempt_at: datetime | None  # of its charge, by now
    receipt_url: str | None


def facts(session: Session, notice_ids: Sequence[int]) -> Sequence[FollowedFact]:
    """Return what these notices follow; one whose event is kept no longer is missing."""
    return [FollowedFact(**row) for row in session.execute(_FACTS, {"ids": list(notice_ids)}).mappings()]
