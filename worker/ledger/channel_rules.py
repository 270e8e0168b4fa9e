"""The rules of the PGs as rows: calls a second and in flight, hours and maintenance. An operator sets them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from schedules.open_hours import OpenHours
from worker.database.audit_reason import give_reason
from worker.domain.channel_rules import ChannelRules

_COLUMNS = "pg, calls_per_second, in_flight, hours, maintenance"
_RULES = text(f"SELECT {_COLUMNS} FROM channel_rules")  # noqa: S608 - constants only
_RULES_OF_ONE = text(f"SELECT {_COLUMNS} FROM channel_rules WHERE pg = :pg")  # noqa: S608 - constants only

# Of a PG without rules there is no row to lock.
_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('channel rules', 0))")

_SET = text("""
    INSERT INTO channel_rules (pg, calls_per_second, in_flight, hours, maintenance)
    VALUES (:pg, :calls_per_second, :in_flight, :hours, :maintenance)
    ON CONFLICT (pg) DO UPDATE SET calls_per_second = excluded.calls_per_second, in_flight = excluded.in_flight,
        hours = excluded.hours, maintenance = excluded.maintenance
""")

_open_hours = lru_cache(OpenHours)


def channel_rules(session: Session) -> Mapping[str, ChannelRules]:
    """Return the rules of each PG that has any."""
    return {row.pg: _rules(row) for row in session.execute(_RULES)}


def locked_rules(session: Session, pg: str) -> ChannelRules:
    """Return the rules of a PG; they stay as they are until this transaction ends, or sets others."""
    session.execute(_ALONE)
    row = session.execute(_RULES_OF_ONE, {"pg": pg}).one_or_none()
    return ChannelRules() if row is None else _rules(row)


def set_rules(session: Session, pg: str, rules: ChannelRules, *, reason: str, now: datetime) -> None:
    """Set the rules of a PG: every claim that begins after the commit keeps them. A trigger audits it, and why."""
    give_reason(session, reason, now=now)
    values = {
        "calls_per_second": rules.calls_per_second,
        "in_flight": rules.in_flight,
        "hours": rules.open_hours.hours,
        "maintenance": rules.open_hours.maintenance,
    }
    session.execute(_SET, {"pg": pg, **values})


def _rules(row: Row[tuple[str, int | None, int | None, str, str]]) -> ChannelRules:
    return ChannelRules(row.calls_per_second, row.in_flight, _open_hours(row.hours, row.maintenance))
