"""What is known of charges that the consent gate judges: their prices, the charge before, consents and messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from schedules.plans import GateMode
from worker.database.bulk import as_rows
from worker.domain.consent_gate.facts import ChargeFacts, EarlierCharge, GivenConsent
from worker.domain.consent_gate.rules import RULES, Event

_OLDEST = timedelta(days=max(rule.days for rule in RULES) + 2)
"""How long before its charge a consent may have been given to count by any rule, and two days for time zones."""

REGULAR = """(
    SELECT COALESCE(sum(i.unit_amount * i.quantity) FILTER (WHERE i.kind = 'plan'), {charge}.amount)::bigint
    FROM charge_items i WHERE i.charge_id = {charge}.id OFFSET 0)"""
"""What a whole period costs by the items of a charge, of which only some days may have been charged."""

WAS_FREE = """(e.amount = 0 AND COALESCE((
    SELECT sum(i.amount) FROM charge_items i
    WHERE i.charge_id = e.id AND i.kind IN ('plan', 'discount') OFFSET 0), 0) = 0)"""
"""The condition that a discount left nothing of a charge `e`. What a credit has paid or is carried on was not free."""

_CODES_OF_FREE_TIME = ", ".join(f"'{rule.code}'" for rule in RULES if rule.event is Event.FREE_TO_PAID)

_FROM_TRIAL = f"""(s.status = 'trialing' OR EXISTS (
    SELECT FROM charges h
    WHERE h.subscription_id = c.subscription_id AND h.gate_held_since IS NOT NULL AND h.period_start <= c.period_start
      AND h.gate_lacks && ARRAY[{_CODES_OF_FREE_TIME}] OFFSET 0))"""
"""The condition that a charge `c`, without another before it, is the first after a trial.

What was settled while it was held, as by hand, has not ended the trial for the gate, though the subscription is active.
"""

_AGREEMENTS = """(
        SELECT t.agreed_at, t.amount FROM consents t
        WHERE t.subscription_id = s.id AND t.agreed_at >= c.period_start - CAST(:oldest AS interval)
          AND (t.billing_key_id = s.billing_key_id OR t.billing_key_id IS NULL AND t.checkout_id IS NULL)
        UNION ALL
        SELECT x.created_at, CAST(x.preview ->> 'after' AS bigint) FROM changes x
        WHERE x.subscription_id = s.id AND x.kind = 'change_price' AND {applied}
          AND x.parameters ->> 'agreed' = 'true'
          AND x.created_at >= c.period_start - CAST(:oldest AS interval)
    ) t"""
"""Consents to the key that a subscription has and to its terms alone, but none to pay once by hand; and prices of which
an operator said that they are agreed to."""

# Each looked up by its id, and a predecessor by the index of its subscription's periods, however old statistics are.
_FACTS = f"""
    SELECT c.id, c.period_start, p.time_zone, p.gate, {_FROM_TRIAL} AS in_trial, c.gate_held_since,
           c.gate_lacks, {{regular}} AS regular, e.id AS earlier_id, e.regular AS earlier_regular,
           e.was_free,
           ARRAY(SELECT t.agreed_at FROM {_AGREEMENTS} ORDER BY 1, t.amount) AS agreed_at,
           ARRAY(SELECT t.amount FROM {_AGREEMENTS} ORDER BY t.agreed_at, 1) AS agreed_to,
           ARRAY(SELECT n.sent_at FROM notices n
                 WHERE n.subscription_id = s.id AND n.kind IN ('trial', 'renewal') AND n.about = c.period_start
                   AND n.sent_at IS NOT NULL) AS notices
    FROM {{charges}} c
    CROSS JOIN LATERAL (SELECT * FROM subscriptions WHERE id = c.subscription_id OFFSET 0) s
    CROSS JOIN LATERAL (SELECT time_zone, gate FROM plans WHERE id = s.plan_id OFFSET 0) p
    LEFT JOIN LATERAL (
        SELECT e.id, {REGULAR.format(charge="e")} AS regular, {WAS_FREE} AS was_free
        FROM (
            SELECT id, amount FROM charges
            WHERE subscription_id = c.subscription_id AND period_start < c.period_start AND status <> 'void'
              AND gate_held_since IS NULL
            ORDER BY period_start DESC LIMIT 1
        ) e
    ) e ON true
    WHERE c.amount > 0 AND (c.gate_held_since IS NOT NULL OR COALESCE(p.gate, :mode) <> 'off')
      AND (c.gate_held_since IS NOT NULL
           OR CASE WHEN e.id IS NULL THEN {_FROM_TRIAL}
                   ELSE e.was_free OR {{regular}} > e.regular END)
    ORDER BY c.id
"""  # noqa: S608 - constants only

_READ = text(
    _FACTS.format(
        regular=REGULAR.format(charge="c"),
        applied="x.status = 'applied'",
        charges="""unnest(CAST(:ids AS bigint[])) AS asked(id)
    CROSS JOIN LATERAL (SELECT * FROM charges WHERE id = asked.id OFFSET 0)""",
    )
)

# As the charges of these periods would be once they are opened, each with its subscription's id.
_READ_COMING = text(
    _FACTS.format(
        regular="c.amount",
        applied="""(x.status = 'applied' OR x.status = 'scheduled' AND x.waits_for IS NULL
                                       AND x.effective_at <= c.period_start)""",
        charges="""jsonb_to_recordset(CAST(:rows AS jsonb)) AS asked(
        subscription_id bigint, period_start timestamptz, regular bigint)
    CROSS JOIN LATERAL (
        SELECT asked.subscription_id AS id, asked.subscription_id, asked.period_start, asked.regular AS amount,
               CAST(NULL AS timestamptz) AS gate_held_since, CAST(NULL AS text[]) AS gate_lacks OFFSET 0)""",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedCharge:
    """A charge to be judged, by the mode of its plan; `lacked` is what it was found to lack before, if anything."""

    id: int
    mode: GateMode
    is_held: bool
    lacked: Sequence[str]
    facts: ChargeFacts


@dataclass(frozen=True, slots=True)
class ComingPeriod:
    """A period of a subscription that is to come, and what a whole one costs then, in won."""

    subscription_id: int
    period_start: datetime
    regular: int


def read(session: Session, charge_ids: Sequence[int], mode: GateMode) -> Sequence[GatedCharge]:
    """Return what is known of those of the charges that a rule may be about, or that are held.

    `mode` is the deployment's, where a plan has none of its own.
    """
    rows = session.execute(_READ, {"ids": list(charge_ids), "mode": mode, "oldest": _OLDEST})
    return [_gated(row, mode) for row in rows]


def read_coming(session: Session, coming: Iterable[ComingPeriod], mode: GateMode) -> Mapping[int, GatedCharge]:
    """Return what is known of charges that are not opened yet and that a rule may be about, by their subscriptions."""
    rows = as_rows(asdict(each) for each in coming)
    found = session.execute(_READ_COMING, {"rows": rows, "mode": mode, "oldest": _OLDEST})
    return {row.id: _gated(row, mode) for row in found}


def _gated(row: Row[Any], mode: GateMode) -> GatedCharge:
    return GatedCharge(
        id=row.id,
        mode=mode if row.gate is None else GateMode(row.gate),
        is_held=row.gate_held_since is not None,
        lacked=row.gate_lacks or (),
        facts=_facts(row),
    )


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
