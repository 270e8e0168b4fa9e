"""The kill switch in use: set, waited for, released."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import sleep

from psycopg.errors import LockNotAvailable
from sqlalchemy.exc import OperationalError

from worker.database.engine import Sessions
from worker.database.tables.operations import Stop
from worker.domain import charge_limits
from worker.domain.clock import Clock
from worker.domain.errors import Refused
from worker.ledger import stops
from worker.ledger.day_totals import count_anew
from worker.ledger.stops import MayStillMove
from worker.pg.catalog import PGS

POLL_SECONDS = 0.25

PATIENCE = timedelta(seconds=20)
"""How long a claim under way is waited for. Claims queue behind the wait, and give up themselves after 30 seconds."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The switch as it stands; `was_set` when somebody had set it before, whose reason then stays."""

    scope: str
    reason: str
    stopped_by: str
    stopped_at: datetime
    was_set: bool


def set_switch(sessions: Sessions, scope: str, *, reason: str, stopped_by: str, now: datetime) -> Stopped:
    """Set the switch, which waits for nobody. A claim that is under way may still take charges of the scope."""
    _require_scope(scope)
    with sessions.begin() as session:
        known = {stop.scope for stop in stops.standing(session)}
        stops.stop(session, scope=scope, reason=reason, stopped_by=stopped_by, now=now)
        stop = next(stop for stop in stops.standing(session) if stop.scope == scope)
        return Stopped(scope, stop.reason, stop.stopped_by, stop.stopped_at, scope in known)


def wait_for_claims(sessions: Sessions, scope: str, *, patience: timedelta = PATIENCE) -> None:
    """Wait until no claim is under way that may not have seen the switch: nothing more of the scope is claimed then.

    Raises Refused when one does not end, with who it is; the switch stays set.
    """
    _wait_for_claims(sessions, f"The switch is set ({scope})", "again stop", patience)


def wait_while_held(sessions: Sessions, *, patience: timedelta = PATIENCE) -> None:
    """Wait until no claim is under way that may not have seen that a sweep holds charging. Raises Refused likewise."""
    _wait_for_claims(sessions, "Charging is held", "again sweep --restored", patience)


def _wait_for_claims(sessions: Sessions, standing: str, command: str, patience: timedelta) -> None:
    try:
        with sessions.begin() as session:
            stops.await_claims(session, patience=patience)
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        with sessions() as session:
            pids = ", ".join(map(str, stops.claims_under_way(session)))
        raise Refused(
            f"{standing}, and nothing new is claimed; but a claim under way does not end "
            f"(PostgreSQL pid {pids or 'unknown'}), and may still charge what it has taken. End that worker, or "
            f"`SELECT pg_terminate_backend(pid)`, and run `{command}` once more."
        ) from None


def wait_until_quiet(sessions: Sessions, scope: str, *, clock: Clock, tell: Callable[[int], None]) -> None:
    """Wait until no call of a stopped scope is in flight, telling how many are.

    That ends: a call whose worker died counts no more when its lease has run out by every clock.
    """
    while True:
        with sessions() as session:
            count = stops.calls_in_flight(session, now=clock(), scope=scope)
        tell(count)
        if count == 0:
            return
        sleep(POLL_SECONDS)


def may_still_move(sessions: Sessions, scope: str, *, quiet_period: timedelta, now: datetime) -> MayStillMove:
    """Return what of a stopped scope may still be paid: unknown outcomes, and payment windows that are open."""
    with sessions() as session:
        return stops.may_still_move(session, quiet_period=quiet_period, now=now, scope=scope)


@dataclass(frozen=True, slots=True)
class Started:
    """What stands still after a release. `counts_anew`: a cap had set the switch, and the day's count began again."""

    left: Sequence[Stop]
    counts_anew: bool


def start_charging(sessions: Sessions, scope: str, *, reason: str = stops.BY_HAND, now: datetime) -> Started:
    """Release the switch, and list what is stopped still. Raises Refused when it was not set.

    Who did it (the connection's name) and why is in the audit.
    """
    _require_scope(scope)
    with sessions.begin() as session:
        started = stops.start(session, scope=scope, reason=reason, now=now)
        left = stops.standing(session)
        if started is None:
            commands = ", ".join(f"`again start {stop.scope}`" for stop in left)
            other = f"Stopped is something else; start it with {commands}." if left else "Nothing else is either."
            raise Refused(f"{scope!r} is not stopped. {other}")
        if counts_anew := started.stopped_by == charge_limits.BY:
            count_anew(session, scope, now=now)
        return Started(left, counts_anew)


def _require_scope(scope: str) -> None:
    if scope != stops.EVERYTHING and scope not in PGS:
        raise Refused(f"{scope!r:.40} cannot be stopped or started; give `all`, or a PG: {', '.join(PGS)}.")
