"""`again sweep --release`: lifts the charging hold when it cannot end by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from worker.cli import confirm, console, formats
from worker.domain.errors import Refused

if TYPE_CHECKING:
    from worker.database.tables.operations import Sweep
    from worker.runtime import Runtime

RISK = "payments that PortOne has and this database has lost may be charged a second time"


def release_holds(runtime: Runtime, *, yes: bool, reason: str, as_json: bool) -> None:
    """End every sweep that holds charging. Asks first, in sandbox mode too. Raises Refused when there is none."""
    from worker.cli.context import actor
    from worker.ledger import charging_hold, stops

    with runtime.sessions() as session:
        held = charging_hold.holding(session)
    if not held:
        raise Refused("No sweep holds charging, so there is nothing to release. `again status` shows why charges wait.")
    if not yes:
        confirm.require(
            f"{_progress(held)}\nIf you lift the hold now, {RISK}. Lift it?",
            unasked=f"Charging would resume, and {RISK}",
            declined="Not released; charging is held.",
        )
    with runtime.sessions.begin() as session:
        released = charging_hold.release(session, by=actor(), reason=reason, now=runtime.clock())
        stopped = stops.active_stops(session)
    if as_json:
        return console.print_json({"released": released, "still_stopped": [stop.scope for stop in stopped]})
    resumes = "" if any(stop.scope == stops.EVERYTHING for stop in stopped) else " Charging resumes."
    console.say(f"Released: {formats.counted(len(released), 'sweep')}.{resumes}")
    for stop in stopped:
        console.note(f"still stopped: {stop.scope} ({stop.reason})", style="yellow")
    return console.note(f"{RISK}; `again sweep --since DATE` still compares them", style="yellow")


def _progress(held: Sequence[Sweep]) -> str:
    return "\n".join(
        f"Charging is held ({each.reason}) until PortOne's payments from {formats.local(each.since, 'Asia/Seoul')} to "
        f"{formats.local(each.until, 'Asia/Seoul')} are compared; the comparison has reached "
        f"{formats.local(each.position, 'Asia/Seoul')}."
        for each in held
    )
