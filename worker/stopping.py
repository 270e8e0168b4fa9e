"""The kill switch in use: set, waited for, released."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import sleep

from worker.channels import PGS
from worker.clock import Clock
from worker.database import stops
from worker.database.models import Stop
from worker.database.session import Sessions
from worker.refusals import Refused

POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Stopped:
    """The switch as it stands; `was_set` when somebody had set it before, whose reason then stays."""

    scope: str
    reason: str
    stopped_by: str
    stopped_at: datetime
    was_set: bool


def stop_charging(sessions: Sessions, scope: str, *, reason: str, stopped_by: str, now: datetime) -> Stopped:
    """Set the switch. When this returns, nothing more of the scope is claimed; calls may still be in flight."""
    _require_scope(scope)
    with sessions.begin() as session:
        known = {stop.scope for stop in stops.standing(session)}
        stops.stop(session, scope=scope, reason=reason, stopped_by=stopped_by, now=now)
        stop = next(stop for stop in stops.standing(session) if stop.scope == scope)
        return Stopped(scope, stop.reason, stop.stopped_by, stop.stopped_at, scope in known)


def wait_until_quiet(sessions: Sessions, scope: str, *, clock: Clock, tell: Callable[[int], None]) -> None:
    """Wait until no call of a stopped scope is in flight, telling how many are.

    That ends: a call whose worker died counts no more when its lease has run out.
    """
    while True:
        with sessions() as session:
            count = stops.calls_in_flight(session, now=clock(), scope=scope)
        tell(count)
        if count == 0:
            return
        sleep(POLL_SECONDS)


def start_charging(sessions: Sessions, scope: str) -> Sequence[Stop]:
    """Release the switch, and list what is stopped still. Raises Refused when it was not set."""
    _require_scope(scope)
    with sessions.begin() as session:
        if not stops.start(session, scope=scope):
            others = ", ".join(stop.scope for stop in stops.standing(session))
            raise Refused(f"Nothing was stopped as {scope!r}. {f'Stopped is: {others}.' if others else ''}".rstrip())
        return stops.standing(session)


def _require_scope(scope: str) -> None:
    if scope != stops.EVERYTHING and scope not in PGS:
        raise Refused(f"{scope!r:.40} cannot be stopped or started; give `all`, or a PG: {', '.join(PGS)}.")
