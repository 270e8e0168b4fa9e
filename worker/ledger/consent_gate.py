"""The consent gate: charges that lack a consent or a message are held, judged again in time, and released.

A charge is judged in the transaction that opens it, before any claim can see it; again when a consent of its
subscription is written down; and by a tick now and then, because messages are sent and modes are changed elsewhere.
What is held is never attempted through `again`. A customer may pay it in a payment window, which shows what it costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from schedules.plans import GateMode
from worker.database.bulk import as_rows
from worker.database.engine import Sessions
from worker.database.planning import plan_by_index
from worker.domain.consent_gate.facts import ChargeFacts, EarlierCharge, GivenConsent, Verdict, verdict
from worker.domain.consent_gate.rules import RULES, RuleCode

JUDGE_EVERY = timedelta(minutes=10)
"""How often a charge that is held is looked at again by ticks."""

_MODE = "consent_gate"
_OLDEST = timedelta(days=max(rule.days for rule in RULES) + 2)
"""How long before its charge a consent may have been given to count by any rule, and two days for time zones."""

_REGULAR = """(
    SELECT COALESCE(sum(i.unit_amount * i.quantity) FILTER (WHERE i.kind = 'plan'), {charge}.amount)::bigint
    FROM charge_items i WHERE i.charge_id = {charge}.id OFFSET 0)"""
"""What a whole period costs by the items of a charge, of which only some days may have been charged."""

_WAS_FREE = """(e.amount = 0 AND COALESCE((
    SELECT sum(i.amount) FROM charge_items i
    WHERE i.charge_id = e.id AND i.kind IN ('plan', 'discount') OFFSET 0), 0) = 0)"""
"""The condition that a discount left nothing of a charge `e`. What a credit has paid or is carried on was not free."""

_AGREEMENTS = """(
        SELECT t.agreed_at, t.amount FROM consents t
        WHERE t.subscription_id = s.id AND t.agreed_at >= c.period_start - CAST(:oldest AS interval)
          AND (t.billing_key_id = s.billing_key_id OR t.billing_key_id IS NULL AND t.checkout_id IS NULL)
        UNION ALL
        SELECT x.created_at, CAST(x.preview ->> 'after' AS bigint) FROM changes x
        WHERE x.subscription_id = s.id AND x.kind = 'change_price' AND x.status = 'applied'
          AND x.parameters ->> 'agreed' = 'true'
          AND x.created_at >= c.period_start - CAST(:oldest AS interval)
    ) t"""
"""Consents to the key that a subscription has and to its terms alone, but none to pay once by hand; and prices of which
an operator said that they are agreed to."""

# Each looked up by its id, and a predecessor by the index of its subscription's periods, however old statistics are.
_FACTS = text(f"""
    SELECT c.id, c.period_start, p.time_zone, p.gate, s.status = 'trialing' AS in_trial, c.gate_held_since,
           c.gate_lacks, {_REGULAR.format(charge="c")} AS regular, e.id AS earlier_id, e.regular AS earlier_regular,
           e.was_free,
           ARRAY(SELECT t.agreed_at FROM {_AGREEMENTS} ORDER BY 1, t.amount) AS agreed_at,
           ARRAY(SELECT t.amount FROM {_AGREEMENTS} ORDER BY t.agreed_at, 1) AS agreed_to,
           ARRAY(SELECT n.sent_at FROM notices n
                 WHERE n.subscription_id = s.id AND n.kind IN ('trial', 'renewal') AND n.about = c.period_start
                   AND n.sent_at IS NOT NULL) AS notices
    FROM unnest(CAST(:ids AS bigint[])) AS asked(id)
    CROSS JOIN LATERAL (SELECT * FROM charges WHERE id = asked.id OFFSET 0) c
    CROSS JOIN LATERAL (SELECT * FROM subscriptions WHERE id = c.subscription_id OFFSET 0) s
    CROSS JOIN LATERAL (SELECT time_zone, gate FROM plans WHERE id = s.plan_id OFFSET 0) p
    LEFT JOIN LATERAL (
        SELECT e.id, {_REGULAR.format(charge="e")} AS regular, {_WAS_FREE} AS was_free
        FROM (
            SELECT id, amount FROM charges
            WHERE subscription_id = c.subscription_id AND period_start < c.period_start AND status <> 'void'
              AND gate_held_since IS NULL
            ORDER BY period_start DESC LIMIT 1
        ) e
    ) e ON true
    WHERE c.amount > 0 AND (c.gate_held_since IS NOT NULL OR COALESCE(p.gate, :mode) <> 'off')
      AND (c.gate_held_since IS NOT NULL
           OR CASE WHEN e.id IS NULL THEN s.status = 'trialing'
                   ELSE e.was_free OR {_REGULAR.format(charge="c")} > e.regular END)
    ORDER BY c.id
""")  # noqa: S608 - constants only

# What is released is due from now on, and not as late as it was held.
_WRITE = text("""
    UPDATE charges c
    SET gate_held_since = CASE WHEN v.held THEN COALESCE(c.gate_held_since, CAST(:now AS timestamptz)) END,
        gate_judged_at = CASE WHEN v.held THEN CAST(:now AS timestamptz) END, gate_lacks = v.lacks,
        next_attempt_at = CASE WHEN c.gate_held_since IS NOT NULL AND NOT v.held AND c.next_attempt_at < :now
                               THEN CAST(:now AS timestamptz) ELSE c.next_attempt_at END
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id bigint, held boolean, lacks text[])
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
    return session.execute(_OVERRIDE, {"id": charge_id, "now": now}).first() is not None


def _judge(session: Session, charge_ids: Sequence[int], now: datetime) -> int:
    if not charge_ids:
        return 0
    mode = session.info.get(_MODE, GateMode.WARN)
    asked = {"ids": list(charge_ids), "mode": mode, "oldest": _OLDEST}
    judged = [(row, _verdict(row, mode, now)) for row in session.execute(_FACTS, asked)]
    written = [
        {"id": row.id, "held": each.is_held, "lacks": list(each.lacks) or None}
        for row, each in judged
        if each.lacks or row.gate_held_since is not None
    ]
    if written:
        session.execute(_WRITE, {"rows": as_rows(written), "now": now})
    return sum(each.is_held for _, each in judged)


def _verdict(row: Row[Any], mode: GateMode, now: datetime) -> Verdict:
    own = mode if row.gate is None else GateMode(row.gate)
    return verdict(_facts(row), own, now=now)


def _facts(row: Row[Any]) -> ChargeFacts:
    return ChargeFacts(
        due_at=row.period_start,
        zone=ZoneInfo(row.time_zone),
        regular=row.regular,
        before=None if row.earlier_id is None else EarlierCharge(row.earlier_regular, row.was_free),
        in_trial=row.in_trial,
        consents=[GivenConsent(at, amount) for at, amount in zip(row.agreed_at, row.agreed_to, strict=True)],
        notices=row.notices,
    )
