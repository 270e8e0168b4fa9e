"""Turning the clock of a database and of its sandbox together, once no call is under way between them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from time import sleep

import httpx

from worker.database.clock import DatabaseClock
from worker.domain.clock import elapsed_seconds
from worker.domain.errors import Refused
from worker.ledger import clock_turns
from worker.ledger.clock_turns import ClockState
from worker.runtime import Runtime
from worker.sandbox.http.client import SandboxAdmin, SandboxAdminError

LOOK_SECONDS = 0.05
"""Between two looks whether the calls under way have ended."""

TOLD_AFTER_SECONDS = 3.0
"""A call usually ends sooner; of a longer wait the operator is told."""

WAITS = "waiting for a call that is under way: time-outs and leases are real time"


def clock_now(runtime: Runtime) -> ClockState:
    """Return what the clock shows. Raises Refused with real money, which goes by the real time."""
    require_sandbox(runtime)
    with runtime.sessions() as session:
        return clock_turns.clock_state(session)


def require_sandbox(runtime: Runtime) -> None:
    """Raise Refused in live mode."""
    if runtime.settings.live:
        raise Refused(
            "The clock can be turned in the sandbox only, and AGAIN_PORTONE_KEY is set: this database charges real "
            "money, which goes by the real time."
        )


def require_running(runtime: Runtime, portone: SandboxAdmin) -> None:
    """Raise Refused when the sandbox does not answer, before anything is done on the way of a turn."""
    if not portone.is_up():
        raise _cannot_be_turned(runtime, "it does not answer")


def turn_clock(
    runtime: Runtime,
    portone: SandboxAdmin,
    ahead: timedelta,
    *,
    tell: Callable[[str], None],
    meanwhile: Callable[[], object] = lambda: None,
) -> None:
    """Turn the clock so that it is `ahead` of the database's, and wait for calls that are under way before.

    `meanwhile` is done again and again while it waits, and `tell` is called with what for, if that takes long. Raises
    Refused in live mode, for what `clock_turns.turn` refuses, and when the sandbox does not answer; then the clock is
    as it was. Raises ValueError for a runtime whose clock would not show it.
    """
    require_sandbox(runtime)
    clock = runtime.clock
    if not (isinstance(clock, DatabaseClock) and clock.follows_turns):
        raise ValueError("The runtime's clock does not follow turns: who waits for what it shows would wait for ever.")
    started, told = elapsed_seconds(), False
    while not _turned(runtime, portone, ahead):
        if not told and elapsed_seconds() - started > TOLD_AFTER_SECONDS:
            tell(WAITS)
            told = True
        sleep(LOOK_SECONDS)
        meanwhile()
    clock.sync(runtime.engine)


def _turned(runtime: Runtime, portone: SandboxAdmin, ahead: timedelta) -> bool:
    """Turn both clocks, the database's in a transaction that is committed once the sandbox's is turned."""
    with runtime.sessions() as session:
        if not clock_turns.turn(session, ahead, prefix=runtime.settings.merchant_uid_prefix):
            return False
        try:
            turned = portone.turn_clock(ahead)
        except (httpx.TransportError, SandboxAdminError) as error:
            raise _cannot_be_turned(runtime, str(error) or type(error).__name__) from None
        if turned:
            session.commit()
        return turned


def _cannot_be_turned(runtime: Runtime, why: str) -> Refused:
    return Refused(
        f"The sandbox at {runtime.settings.gateway_url} cannot be turned along ({why}), so nothing was turned: "
        "`again up` or `again sandbox` starts it."
    )
