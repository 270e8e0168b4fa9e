"""What the metrics count beside the rows of `again status`, each from an index that holds only such rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.consent_gate.rules import RuleCode

AGES: Mapping[str, timedelta | None] = {
    "under_5m": timedelta(minutes=5),
    "under_1h": timedelta(hours=1),
    "under_6h": timedelta(hours=6),
    "under_1d": timedelta(days=1),
    "under_7d": timedelta(days=7),
    "older": None,
}
"""What an unknown outcome is told apart by: how long ago its attempt was sent."""

_UNKNOWN = text("""
    SELECT LEAST(width_bucket(EXTRACT(epoch FROM CAST(:now AS timestamptz) - started_at),
                              CAST(:bounds AS double precision[])), :last) AS place, count(*) AS found
    FROM attempts WHERE status = 'unknown' GROUP BY place
""")

_DISCREPANCIES = text("SELECT kind, count(*) AS found FROM discrepancies WHERE status = 'open' GROUP BY kind")

_HELD = text("SELECT count(*) FROM holds WHERE status = 'held'")

MOST_HELD = 10_000
"""Charges that the consent gate holds and that are counted, at most."""

# By the index of what is looked at again: what was settled while it was held is in it no more.
_HELD_BY_GATE = text("""
    SELECT rule, count(*) AS found FROM (
        SELECT gate_lacks FROM charges
        WHERE gate_judged_at IS NOT NULL AND status NOT IN ('paid', 'void') LIMIT :most
    ) held CROSS JOIN LATERAL unnest(held.gate_lacks) AS lacks(rule) GROUP BY rule
""")

_DAY = text("SELECT pg, sends, amount FROM day_totals WHERE day_on = :day_on ORDER BY pg")

_MODE = text("SELECT mode FROM database_identity")


@dataclass(frozen=True, slots=True)
class DayUse:
    """What was claimed on a day through one PG."""

    pg: str
    charges: int
    amount: int


def unknown_by_age(session: Session, *, now: datetime) -> Mapping[str, int]:
    """Count the attempts whose outcome is unknown, by age; every age is there."""
    bounds = [0.0, *(age.total_seconds() for age in AGES.values() if age is not None)]
    found = dict.fromkeys(AGES, 0)
    names = list(AGES)
    for row in session.execute(_UNKNOWN, {"now": now, "bounds": bounds, "last": len(names)}):
        found[names[max(row.place, 1) - 1]] += row.found
    return found


def discrepancies_by_kind(session: Session) -> Mapping[str, int]:
    """Count the open discrepancies by kind."""
    return {row.kind: row.found for row in session.execute(_DISCREPANCIES)}


def held_by_gate(session: Session) -> Mapping[str, int]:
    """Count up to MOST_HELD charges that the consent gate holds, by what each lacks; every rule is there."""
    found = {row.rule: row.found for row in session.execute(_HELD_BY_GATE, {"most": MOST_HELD})}
    return {rule: found.get(rule, 0) for rule in RuleCode}


def held_subscriptions(session: Session) -> int:
    """Count the subscriptions that are held."""
    return int(session.scalar(_HELD) or 0)


def used_on(session: Session, day_on: date) -> Sequence[DayUse]:
    """Return what was claimed on a day in Seoul, by PG."""
    return [DayUse(row.pg, row.sends, row.amount) for row in session.execute(_DAY, {"day_on": day_on})]


def mode(session: Session) -> str:
    """Return in which mode the database has charged: `live` or `sandbox`; empty before its first charge."""
    return session.scalar(_MODE) or ""
