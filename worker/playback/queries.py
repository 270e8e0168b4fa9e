"""What falls due when, for each tick, and what has happened since an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.ledger.channel_rules import channel_rules

_INSTANTS = (
    ("sweep", "until", "sweeps", "finished_at IS NULL AND holds_claims"),
    ("apply_changes", "effective_at", "changes", "status = 'scheduled' AND waits_for IS NULL"),
    ("open_charges", "next_charge_at", "subscriptions", "next_charge_at IS NOT NULL"),
    ("open_charges", "ends_at", "subscriptions", "status = 'canceled'"),
    ("charge", "next_attempt_at", "charges", "status IN ('due', 'past_due') AND queue IS NOT NULL"),
    ("reconcile", "lease_until", "attempts", "status = 'started'"),
    ("reconcile", "next_lookup_at", "attempts", "status = 'unknown'"),
    ("checkout_maintenance", "next_lookup_at", "checkouts", "status = 'opened'"),
    ("checkout_maintenance", "expires_at", "checkouts", "status = 'created'"),
    ("checkout_maintenance", "next_lookup_at", "webhooks", "next_lookup_at IS NOT NULL"),
    ("refunds", "next_try_at", "refunds", "status IN ('requested', 'unclear') AND flagged_at IS NULL"),
)
"""Of each tick, the columns whose instants it waits for, and the rows that count."""

_COMING = text(
    " UNION ALL ".join(
        f"""
        SELECT '{tick}' AS tick, EXISTS (SELECT FROM {table} WHERE {condition} AND {column} <= :now) AS is_due,
               (SELECT min({column}) FROM {table} WHERE {condition} AND {column} > :now) AS next_at
        """  # noqa: S608 - constants only
        for tick, column, table, condition in _INSTANTS
    )
)

_SWEEP_IS_DUE = text("""
    SELECT COALESCE(bool_or(finished_at IS NULL), false) OR COALESCE(max(started_at) <= :now - :every, true) FROM sweeps
""")

_SWEEP_GOES_ON = text("SELECT EXISTS (SELECT FROM sweeps WHERE finished_at IS NULL AND failure IS NULL)")

_LAST_EVENT = text("SELECT COALESCE(max(position), 0) FROM events")
_HAPPENED = text("SELECT type, count(*) AS times FROM events WHERE position > :position GROUP BY type ORDER BY type")
_PAID = text("""
    SELECT CAST(COALESCE(sum(CAST(data -> 'charge' ->> 'amount' AS bigint)), 0) AS bigint)
    FROM events WHERE position > :position AND type = 'charge.paid'
""")


@dataclass(frozen=True, slots=True)
class Coming:
    """The ticks that have something to do at an instant, and the next instant after it at which one has."""

    due: frozenset[str]
    next_at: datetime | None


def coming(session: Session, *, now: datetime) -> Coming:
    """Return which ticks have something to do, and when one will have next. What is blocked counts as due."""
    rows = session.execute(_COMING, {"now": now}).all()
    due = frozenset(row.tick for row in rows if row.is_due)
    instants = [row.next_at for row in rows if row.next_at is not None]
    if "charge" in due:  # and what is due may wait for a PG to open
        opening = (rules.open_hours.opens_at(now) for rules in channel_rules(session).values())
        instants += [at for at in opening if at > now]
    return Coming(due, min(instants, default=None))


def sweep_is_due(session: Session, *, now: datetime, every: timedelta) -> bool:
    """Return whether a comparison with PortOne's payments is unfinished, or the next one is due."""
    return bool(session.execute(_SWEEP_IS_DUE, {"now": now, "every": every}).scalar_one())


def sweep_goes_on(session: Session) -> bool:
    """Return whether a comparison with PortOne's payments is unfinished, and has not failed at PortOne."""
    return bool(session.execute(_SWEEP_GOES_ON).scalar_one())


def last_event(session: Session) -> int:
    """Return the position of the last event."""
    position: int = session.execute(_LAST_EVENT).scalar_one()
    return position


def happened_since(session: Session, position: int) -> Mapping[str, int]:
    """Return how many events of each type there are after a position."""
    return {row.type: row.times for row in session.execute(_HAPPENED, {"position": position})}


def paid_since(session: Session, position: int) -> int:
    """Return what the charges came to, in won, whose payment is an event after a position."""
    won: int = session.execute(_PAID, {"position": position}).scalar_one()
    return won
