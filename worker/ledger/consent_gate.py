"""The consent gate: charges that lack a consent or a message are held, judged again in time, and released.

A charge is judged in the transaction that opens it, before any claim can see it; again when a consent of its
subscription is written down; and by a tick now and then, because messages are sent and modes are changed elsewhere.
What is held is never attempted through `again`. A customer may pay it in a payment window, which shows what it costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from schedules.plans import GateMode
from worker.database.bulk import as_rows
from worker.database.engine import Sessions
from worker.database.planning import plan_by_index
from worker.domain.consent_gate.facts import Verdict, verdict
from worker.domain.consent_gate.release import GateRelease, release_of
from worker.domain.consent_gate.rules import RuleCode
from worker.ledger import gate_facts
from worker.ledger.gate_facts import GatedCharge

JUDGE_EVERY = timedelta(minutes=10)
"""How often a charge that is held is looked at again by ticks."""

_MODE = "consent_gate"
# What is released is due from now on, and not as late as it was held.
_WRITE = text("""
    UPDATE charges c
    SET gate_held_since = CASE WHEN v.held THEN COALESCE(c.gate_held_since, CAST(:now AS timestamptz)) END,
        gate_judged_at = CASE WHEN v.held THEN CAST(:now AS timestamptz) END, gate_lacks = v.lacks,
        gate_released_by = v.released_by,
        gate_released_at = CASE WHEN v.released_by IS NOT NULL THEN CAST(:now AS timestamptz) END,
        next_attempt_at = CASE WHEN c.gate_held_since IS NOT NULL AND NOT v.held AND c.next_attempt_at < :now
                               THEN CAST(:now AS timestamptz) ELSE c.next_attempt_at END
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id bigint, held boolean, lacks text[], released_by text)
    WHERE c.id = v.id
""")

_HELD_OF = text("""
    SELECT id FROM charges
    WHERE subscription_id = :id AND gate_held_since IS NOT NULL AND status NOT IN ('paid', 'void')
    ORDER BY id FOR UPDATE
""")

# What was settled while it was held stays noted so, and is judged no more: a payment by hand is no consent to the next.
_NOT_JUDGED_SINCE = text("""
    SELECT id FROM charges WHERE gate_judged_at <= :before AND status NOT IN ('paid', 'void')
    ORDER BY gate_judged_at LIMIT :limit
    FOR UPDATE SKIP LOCKED
""")

_LACKS = text("SELECT gate_lacks FROM charges WHERE id = :id AND gate_held_since IS NOT NULL")

_OVERRIDE = text("""
    UPDATE charges SET gate_held_since = NULL, gate_judged_at = NULL,
        gate_released_by = :override, gate_released_at = CAST(:now AS timestamptz),
        next_attempt_at = CASE WHEN next_attempt_at < :now THEN CAST(:now AS timestamptz) ELSE next_attempt_at END
    WHERE id = :id AND gate_held_since IS NOT NULL
    RETURNING id
""")


def set_gate(sessions: Sessions, mode: GateMode) -> None:
    """Let the sessions of a factory judge charges by the deployment's mode, where a plan has none of its own."""
    sessions.configure(info={_MODE: mode})


def judge_opened(session: Session, charge_ids: Sequence[int], *, now: datetime) -> int:
    """Judge charges that are opened in this very transaction; return how many are held."""
    return _judge(session, charge_ids, now) if charge_ids else 0


def judge_held_of(session: Session, subscription_id: int, *, now: datetime) -> None:
    """Judge what the gate holds of a subscription once more: a consent was written down, or its key is another one."""
    _judge(session, session.scalars(_HELD_OF, {"id": subscription_id}).all(), now)


def judge_held(session: Session, *, now: datetime, limit: int) -> tuple[int, int]:
    """Judge once more what has waited longest for that; return how many were judged, and how many of them released."""
    plan_by_index(session)
    ids = session.scalars(_NOT_JUDGED_SINCE, {"before": now - JUDGE_EVERY, "limit": limit}).all()
    return len(ids), len(ids) - _judge(session, ids, now) if ids else 0


def lacks(session: Session, charge_id: int) -> tuple[RuleCode, ...]:
    """Return what a charge that the gate holds lacks; nothing for one that it does not hold."""
    return tuple(map(RuleCode, session.scalar(_LACKS, {"id": charge_id}) or ()))


def override(session: Session, charge_id: int, *, now: datetime) -> bool:
    """Let a locked charge be made though it lacks something; False when the gate does not hold it.

    What it lacks stays noted, and the gate does not judge it again.
    """
    return (
        session.execute(_OVERRIDE, {"id": charge_id, "now": now, "override": GateRelease.OVERRIDE}).first() is not None
    )


def _judge(session: Session, charge_ids: Sequence[int], now: datetime) -> int:
    if not charge_ids:
        return 0
    mode = session.info.get(_MODE, GateMode.WARN)
    judged = [(each, verdict(each.facts, each.mode, now=now)) for each in gate_facts.read(session, charge_ids, mode)]
    written = [
        {
            "id": each.id,
            "held": found.is_held,
            "lacks": list(found.lacks) or None,
            "released_by": _released_by(each, found, now),
        }
        for each, found in judged
        if found.lacks or each.is_held
    ]
    if written:
        session.execute(_WRITE, {"rows": as_rows(written), "now": now})
    return sum(found.is_held for _, found in judged)


def _released_by(charge: GatedCharge, found: Verdict, now: datetime) -> GateRelease | None:
    """Return how a charge that was held is let go; None for one that was not, or still is."""
    return release_of(charge.facts, charge.lacked, now=now) if charge.is_held and not found.is_held else None
