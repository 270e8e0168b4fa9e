"""The kill switch as a row: while it stands, no claim takes a charge of its scope.

The scopes are those of `worker.domain.stop_scopes`; what is asked about calls takes that of a subscription too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from worker.database.audit_reason import give_reason
from worker.database.clock import APART
from worker.database.tables.billing import Plan
from worker.database.tables.operations import Stop
from worker.domain.channel_evidence import STOPPED_BY_REFUSALS
from worker.domain.channel_rules import closed
from worker.domain.outcomes import UnknownReason
from worker.domain.stop_scopes import EVERYTHING, PLAN, SUBSCRIPTION
from worker.ledger import channel_stops
from worker.ledger.channel_rules import channel_rules
from worker.ledger.claiming import CLAIM_ADVISORY_LOCK

__all__ = [
    "BY_HAND",
    "EVERYTHING",
    "MayStillMove",
    "active_stops",
    "await_claims",
    "calls_in_flight",
    "claims_under_way",
    "may_still_move",
    "plan_id",
    "record_active",
    "start",
    "stop",
]

BY_HAND = "started by hand"

CLOCKS_APART = timedelta(minutes=5)
"""How far the clocks of a worker, a reconciler and the command line may differ; for so long, no lease is over."""

# Who holds a claim's shared lock just now. A lock of a 64-bit number shows as its two halves.
_CLAIMS_UNDER_WAY = text("""
    SELECT pid FROM pg_locks
    WHERE locktype = 'advisory' AND classid = 0 AND objid = :lock AND objsubid = 1 AND mode = 'ShareLock' AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ORDER BY pid
""")

_OWNER = """
    CROSS JOIN LATERAL (SELECT pg FROM billing_keys WHERE id = a.billing_key_id OFFSET 0) k
    CROSS JOIN LATERAL (SELECT subscription_id FROM charges WHERE id = a.charge_id OFFSET 0) c
    CROSS JOIN LATERAL (SELECT code, plan_id FROM subscriptions WHERE id = c.subscription_id OFFSET 0) s
    CROSS JOIN LATERAL (SELECT code FROM plans WHERE id = s.plan_id OFFSET 0) p
"""
_IN_SCOPE = f"CAST(:scope AS text) IN ('{EVERYTHING}', k.pg, '{PLAN}' || p.code, '{SUBSCRIPTION}' || s.code)"

# What a reconciler declared abandoned by its own clock may be on its way still, whatever a look-up has said since.
_CALLS_IN_FLIGHT = text(f"""
    SELECT count(*) FROM attempts a {_OWNER}
    WHERE a.via = 'again' AND a.lease_until >= :since AND {_IN_SCOPE}
      AND (a.status = 'started' OR a.status = 'unknown' AND EXISTS (
        SELECT FROM audit
        WHERE entity = 'attempt' AND entity_id = a.id AND to_status = 'unknown' AND reason = :abandoned))
""")  # noqa: S608 - constants only

# A call whose answer was lost goes on at PortOne, and a payment window is the customer's to use or to leave.
_MAY_STILL_MOVE = text(f"""
    SELECT count(*) FILTER (WHERE a.via = 'again') AS unknown,
           max(a.started_at + :quiet_period) FILTER (WHERE a.via = 'again') AS lands_until,
           count(*) FILTER (WHERE a.window_until > :now) AS windows,
           max(a.window_until) FILTER (WHERE a.window_until > :now) AS windows_until
    FROM attempts a {_OWNER}
    WHERE {_IN_SCOPE} AND (a.status = 'unknown' OR a.status = 'started' AND a.via = 'window')
""")  # noqa: S608 - constants only

# A time far ahead is from before the clock was set back.
_RECORD_STANDING = text("""
    INSERT INTO last_stopped AS l (scope, seen_at)
    SELECT scope, :now FROM (SELECT scope FROM stops UNION SELECT unnest(CAST(:closed AS text[]))) standing(scope)
    ON CONFLICT (scope) DO UPDATE SET seen_at = CASE
        WHEN l.seen_at > CAST(:now AS timestamptz) + CAST(:apart AS interval) THEN excluded.seen_at
        ELSE GREATEST(l.seen_at, excluded.seen_at) END
""")


@dataclass(frozen=True, slots=True)
class MayStillMove:
    """What no switch can take back: attempts without a definite outcome, and payment windows that customers have open.

    After `lands_until` a charge that PortOne does not show was not made; None when that is over for all of them.
    """

    unknown: int
    lands_until: datetime | None
    windows: int
    windows_until: datetime | None


def stop(session: Session, *, scope: str, reason: str, stopped_by: str, now: datetime) -> None:
    """Set the switch. Once this is committed, no claim that begins takes anything of the scope."""
    row = {"scope": scope, "reason": reason, "stopped_by": stopped_by, "stopped_at": now}
    row["plan_id"] = plan_id(session, scope)
    by_refusals = (Stop.scope == scope, Stop.stopped_by == STOPPED_BY_REFUSALS)
    while True:
        # What refusals have stopped is lifted by a payment; what an operator stops stays stopped until one starts it.
        session.execute(delete(Stop).where(*by_refusals))
        session.execute(insert(Stop).values(row).on_conflict_do_nothing())
        # Refusals may have stopped it while this waited for them.
        if session.scalar(select(Stop.scope).where(*by_refusals)) is None:
            return


def plan_id(session: Session, scope: str) -> int | None:
    """Return the id of the plan that a scope names; None for one that names none, or one that does not exist."""
    if not scope.startswith(PLAN):
        return None
    return session.scalar(select(Plan.id).where(Plan.code == scope.removeprefix(PLAN)))


def await_claims(session: Session, *, timeout: timedelta) -> None:
    """Wait until every claim that began before a committed stop has ended.

    Raises OperationalError (LockNotAvailable) when one does not end within `timeout`.
    """
    milliseconds = f"{timeout // timedelta(milliseconds=1)}ms"
    session.execute(text("SELECT set_config('lock_timeout', :timeout, true)"), {"timeout": milliseconds})
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": CLAIM_ADVISORY_LOCK})


def claims_under_way(session: Session) -> Sequence[int]:
    """List PostgreSQL's process ids of the connections that are in the middle of a claim."""
    return session.scalars(_CLAIMS_UNDER_WAY, {"lock": CLAIM_ADVISORY_LOCK}).all()


def start(session: Session, *, scope: str, reason: str = BY_HAND, now: datetime) -> Stop | None:
    """Release the switch, and give it as it was; None when it was not set. A trigger audits it, and why."""
    give_reason(session, reason, now=now)
    channel_stops.lock(session, scope)
    started = session.scalars(delete(Stop).where(Stop.scope == scope).returning(Stop)).first()
    if started is not None:
        channel_stops.release(session, scope, now=now)
    return started


def active_stops(session: Session) -> Sequence[Stop]:
    """List what is stopped."""
    return session.scalars(select(Stop).order_by(Stop.scope)).all()


def record_active(session: Session, *, now: datetime) -> None:
    """Record when each standing stop, and each closed PG, was last seen: what waited then is not late once it ends."""
    session.execute(_RECORD_STANDING, {"now": now, "apart": APART, "closed": closed(channel_rules(session), now)})


def calls_in_flight(session: Session, *, now: datetime, scope: str = EVERYTHING) -> int:
    """Count the attempts of a scope whose request may still be on its way, however much the clocks differ."""
    parameters = {
        "since": now - CLOCKS_APART,
        "scope": scope,
        "abandoned": UnknownReason.ABANDONED.value,
    }
    return int(session.scalar(_CALLS_IN_FLIGHT, parameters) or 0)


def may_still_move(
    session: Session, *, quiet_period: timedelta, now: datetime, scope: str = EVERYTHING
) -> MayStillMove:
    """Return what of a scope may still be paid although nothing more is sent."""
    parameters = {"now": now, "quiet_period": quiet_period, "scope": scope}
    row = session.execute(_MAY_STILL_MOVE, parameters).one()
    landing = row.lands_until is not None and row.lands_until > now
    return MayStillMove(row.unknown, row.lands_until if landing else None, row.windows, row.windows_until)
