"""Turning the sandbox's clock: whatever falls due by then is due, and no lease and no sign of life grows old by it.

The clock is turned while no call is under way and no transaction decides by it. So a lease never ends before the call
that it covers, and a call's outcome is never judged by a clock that was turned meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from worker.database.clock import TURNING
from worker.domain.errors import Refused

MOST_AHEAD = timedelta(days=3_660)
"""As far ahead as changes can be planned."""

_ALONE = text(f"SELECT pg_try_advisory_xact_lock({TURNING})")

# A window is no call: how long a customer may pay in it goes by the clock, at the sandbox as well. A refund that is
# about to leave does not count either: sent twice, it is carried out once.
_UNDER_WAY = text("SELECT EXISTS (SELECT FROM attempts WHERE status = 'started' AND via = 'again')")

_STANDS = text("SELECT clock_timestamp() AS real, clock_ahead AS ahead FROM database_identity")

_LAST_SETTLED = text("""
    SELECT GREATEST((SELECT max(settled_at) FROM attempts), (SELECT max(started_at) FROM attempts),
                    (SELECT max(status_at) FROM charges WHERE status IN ('paid', 'uncollectible', 'void')),
                    (SELECT max(status_at) FROM changes WHERE status = 'applied'))
""")

_TURN = text("""
    UPDATE database_identity
    SET clock_ahead = clock_ahead + :by, seen_at = seen_at + :by, mode = 'sandbox', prefix = COALESCE(prefix, :prefix)
""")
_TURN_SIGNS_OF_LIFE = (
    text("LOCK TABLE heartbeats IN SHARE ROW EXCLUSIVE MODE"),  # before any of them is read, so that none is left out
    text("UPDATE heartbeats SET seen_at = seen_at + :by"),
    text("UPDATE sweeps SET lease_until = lease_until + :by WHERE finished_at IS NULL"),
)


@dataclass(frozen=True, slots=True)
class ClockState:
    """What the clock shows: the database's time, and how far ahead of it the sandbox's clock was turned."""

    real: datetime
    ahead: timedelta

    @property
    def now(self) -> datetime:
        return self.real + self.ahead


def clock_state(session: Session) -> ClockState:
    """Return what the clock shows."""
    row = session.execute(_STANDS).one()
    return ClockState(row.real, row.ahead)


def known_ahead(engine: Engine) -> timedelta:
    """Return by how much the clock was turned; nothing where the database cannot say, for want of its tables, too."""
    try:
        with Session(engine) as session:
            return clock_state(session).ahead
    except SQLAlchemyError:
        return timedelta(0)


def turn(session: Session, ahead: timedelta, *, prefix: str) -> bool:
    """Turn the clock so that it is `ahead` of the database's; False, and nothing done, while a call is under way.

    The caller has made sure of sandbox mode, turns the sandbox in the same transaction, and commits. Raises Refused
    for a time before what is settled already, and beyond ten years ahead.
    """
    if not session.execute(_ALONE).scalar_one():
        return False
    state = clock_state(session)
    if session.execute(_UNDER_WAY).scalar_one():
        return False
    if ahead > MOST_AHEAD:
        raise Refused("The clock can be turned ten years ahead at most.")
    by = ahead - state.ahead
    if by < timedelta(0):
        _require_unsettled(session, state.real + ahead)
    session.execute(_TURN, {"by": by, "prefix": prefix})
    for statement in _TURN_SIGNS_OF_LIFE:
        session.execute(statement, {"by": by})
    return True


def _require_unsettled(session: Session, to: datetime) -> None:
    last: datetime | None = session.execute(_LAST_SETTLED).scalar_one()
    if last is not None and last > to:
        raise Refused(
            f"The clock cannot be turned back to {to:%Y-%m-%d %H:%M} UTC: charges were settled until "
            f"{last:%Y-%m-%d %H:%M} UTC, and would lie ahead of it. Start with an empty data folder instead "
            "(AGAIN_DATA_DIR), or turn it on."
        )
