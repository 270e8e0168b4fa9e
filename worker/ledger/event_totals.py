"""Running totals of events, added to in the transaction that publishes them: what is published once is counted once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.bulk import as_rows
from worker.domain.events.facts import Fact
from worker.domain.events.types import EventType

ELSEWHERE = "elsewhere"
"""Stands for the PG of what was paid elsewhere, and not through PortOne."""

NOTHING = "nothing"
"""Stands for the PG of what came to nothing."""

_ADD = text("""
    INSERT INTO event_totals AS t (type, pg, kind, events, amount)
    SELECT v.type, v.pg, v.kind, v.events, v.amount
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(type text, pg text, kind text, events bigint, amount bigint)
    ON CONFLICT (type, pg, kind) DO UPDATE SET events = t.events + excluded.events, amount = t.amount + excluded.amount
""")

_ALL = text("SELECT type, pg, kind, events, amount FROM event_totals ORDER BY type, pg, kind")


class Label(NamedTuple):
    """What is counted together: a type of events, of one PG, of one kind; empty where there is none."""

    type: str
    pg: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class EventTotal:
    """How many events of one label there were, and their sum in won."""

    label: Label
    events: int
    amount: int


def add(session: Session, facts: Iterable[Fact]) -> None:
    """Count facts that this transaction publishes. One transaction at a time does, so no row is waited for."""
    events: Counter[Label] = Counter()
    amounts: Counter[Label] = Counter()
    for fact in facts:
        label, amount = counted(fact)
        events[label] += 1
        amounts[label] += amount
    rows = [{**label._asdict(), "events": count, "amount": amounts[label]} for label, count in sorted(events.items())]
    if rows:
        session.execute(_ADD, {"rows": as_rows(rows)})


def totals(session: Session) -> Sequence[EventTotal]:
    """Return every total."""
    return [EventTotal(Label(row.type, row.pg, row.kind), row.events, row.amount) for row in session.execute(_ALL)]


def counted(fact: Fact) -> tuple[Label, int]:
    """Return under which label a fact counts, and with how many won.

    Of a payment and of what was given up, the kind is how many declines came before; of a decline, which kind it was;
    of a charge that the consent gate lets go, how that came to be.
    """
    known, kind = fact.known, ""
    charge: Mapping[str, Any] = known.get("charge") or {}
    amount = int(charge.get("amount") or 0)
    match fact.type:
        case EventType.CHARGE_PAID | EventType.CHARGE_UNCOLLECTIBLE:
            kind = str(known.get("declines", 0))
        case EventType.CHARGE_DECLINED:
            kind = str(known.get("decline") or "")
        case EventType.CHARGE_VOIDED:
            pass
        case EventType.CHARGE_RELEASED:
            kind, amount = str(known.get("released_by") or ""), 0
        case EventType.CHARGE_REFUNDED:
            amount = int(known["refunded"]) - int(known.get("refunded_before") or 0)
        case EventType.REFUND_COMPLETED | EventType.REFUND_REFUSED:
            amount = int(known.get("amount") or 0)
        case EventType.DISCREPANCY_OPENED | EventType.DISCREPANCY_CLOSED:
            kind, amount = str(known.get("kind") or ""), 0
        case _:
            amount = 0
    return Label(fact.type.value, _pg(fact), kind), amount


def _pg(fact: Fact) -> str:
    attempt: Mapping[str, Any] | None = fact.known.get("attempt")
    if attempt is not None:
        return attempt["pg"] or ""
    if fact.type is EventType.CHARGE_PAID:
        return ELSEWHERE if fact.known.get("elsewhere") else NOTHING
    return str(fact.known.get("pg") or "")
