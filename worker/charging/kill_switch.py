"""The kill switch: setting it, waiting until it has taken effect, releasing it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import sleep

from psycopg.errors import LockNotAvailable
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from worker.charging.charge_queues import return_started, set_plan_aside
from worker.database.engine import Sessions
from worker.database.tables.operations import Stop
from worker.domain import charge_limits
from worker.domain.clock import Clock
from worker.domain.errors import Refused
from worker.domain.stop_scopes import PLAN, start_command, stop_command
from worker.ledger import stops
from worker.ledger.day_totals import count_anew
from worker.ledger.stops import MayStillMove
from worker.pg.catalog import PGS

POLL_SECONDS = 0.25
"""Between two looks at the calls in flight."""

ALL_OF_THEM = 1_000_000
"""Transactions that return charges of a plan which is started: more than there ever are."""

CLAIM_TIMEOUT = timedelta(seconds=20)
"""How long a claim in progress is waited for. Claims queue behind the wait, and give up after 30 seconds."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The switch as it is now; `was_set` if it had been set before: its first reason then stays."""

    scope: str
    reason: str
    stopped_by: str
    stopped_at: datetime
    was_set: bool


def set_switch(sessions: Sessions, scope: str, *, reason: str, stopped_by: str, now: datetime) -> Stopped:
    """Set the switch, without waiting. A claim in progress may still take charges of the scope."""
    with sessions.begin() as session:
        _require_scope(session, scope)
        known = {stop.scope for stop in stops.active_stops(session)}
        stops.stop(session, scope=scope, reason=reason, stopped_by=stopped_by, now=now)
        stop = next(stop for stop in stops.active_stops(session) if stop.scope == scope)
        return Stopped(scope, stop.reason, stop.stopped_by, stop.stopped_at, scope in known)


def wait_for_claims(sessions: Sessions, scope: str, *, timeout: timedelta = CLAIM_TIMEOUT) -> None:
    """Wait until every claim that may not have seen the switch has ended: nothing of the scope is claimed after that.

    Raises Refused, with the PostgreSQL process, when one does not end; the switch stays set.
    """
    _wait_for_claims(sessions, f"The switch is set ({scope})", stop_command(scope), timeout)


def wait_while_held(sessions: Sessions, *, timeout: timedelta = CLAIM_TIMEOUT) -> None:
    """Wait until every claim that may not have seen the charging hold has ended. Raises Refused likewise."""
    _wait_for_claims(sessions, "Charging is held", "again sweep --restored", timeout)


def _wait_for_claims(sessions: Sessions, standing: str, command: str, timeout: timedelta) -> None:
    try:
        with sessions.begin() as session:
            stops.await_claims(session, timeout=timeout)
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        with sessions() as session:
            pids = ", ".join(map(str, stops.claims_under_way(session)))
        raise Refused(
            f"{standing}, and nothing new is claimed; but a claim in progress does not end "
            f"(PostgreSQL pid {pids or 'unknown'}), and may still charge what it has taken. End that worker, or "
            f"`SELECT pg_terminate_backend(pid)`, and run `{command}` once more."
        ) from None


def clear_queues(sessions: Sessions, scope: str) -> int:
    """Take what waits of a plan that is stopped out of the way of the claims; return how many charges.

    Of any other scope nothing has to move: a claim skips a PG's queue, and a subscription has few charges.
    """
    with sessions() as session:
        plan_id = stops.plan_id(session, scope)
    return 0 if plan_id is None else set_plan_aside(sessions, plan_id)


def wait_until_quiet(sessions: Sessions, scope: str, *, clock: Clock, tell: Callable[[int], None]) -> None:
    """Wait until no call of a stopped scope is in flight; `tell` is called with their number.

    It ends: a call whose worker died stops counting when its lease has expired by every clock.
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
    """What is still stopped after a release; `resets_count` if a charge limit had set the switch.

    `returned` is how many charges of a plan are back in the queues of their PGs.
    """

    left: Sequence[Stop]
    resets_count: bool
    returned: int = 0


def start_charging(sessions: Sessions, scope: str, *, reason: str = stops.BY_HAND, now: datetime) -> Started:
    """Release the switch, and return what is still stopped. Raises Refused when it was not set.

    The audit keeps who did it (the connection's name) and why.
    """
    with sessions.begin() as session:
        _require_scope(session, scope)
        started = stops.start(session, scope=scope, reason=reason, now=now)
        left = stops.active_stops(session)
        if started is None:
            commands = ", ".join(f"`{start_command(stop.scope)}`" for stop in left)
            other = f"Stopped is something else; start it with {commands}." if left else "Nothing else is either."
            raise Refused(f"{scope!r} is not stopped. {other}")
        if resets_count := started.stopped_by == charge_limits.STOPPED_BY_LIMIT:
            count_anew(session, scope, now=now)
    returned = return_started(sessions, most=ALL_OF_THEM) if scope.startswith(PLAN) else 0
    return Started(left, resets_count, returned)


def _require_scope(session: Session, scope: str) -> None:
    if scope.startswith(PLAN):
        if stops.plan_id(session, scope) is None:
            raise Refused(
                f"There is no plan {scope.removeprefix(PLAN)!r:.60}; `again plan list` shows those there are."
            )
    elif scope != stops.EVERYTHING and scope not in PGS:
        raise Refused(f"{scope!r:.40} cannot be stopped or started; give `all`, or a PG: {', '.join(PGS)}.")
