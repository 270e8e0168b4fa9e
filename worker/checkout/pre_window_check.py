"""Before a window pays a declined charge under its next number, the earlier numbers are looked up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from worker.checkout.context import BothSides
from worker.checkout.links import checkout_row
from worker.domain.errors import AskedTooOften, Refused
from worker.domain.outcomes import NotChargedReason
from worker.ledger import window_attempts
from worker.reconciliation.pre_send_check import EarlierAttempts

UNCLEAR = "PortOne does not answer just now, so it is not known whether this is paid already; please try again later."


async def look_up_earlier(sides: BothSides, code: str, *, may_ask: Callable[[str], bool] = lambda _: True) -> None:
    """Look up the declined attempts of the charge that a link pays, and write down what was paid after all.

    To be called before `agree`. Raises Refused when one of them was paid, or PortOne does not answer, and AskedTooOften
    when `may_ask` says so of this checkout.
    """
    declined = await asyncio.to_thread(_declined, sides, code)
    if declined and not may_ask(code):
        raise AskedTooOften
    earlier = EarlierAttempts(sessions=sides.sessions, gateway=sides.gateway, clock=sides.clock, prefix=sides.prefix)
    reason = await earlier.reason_to_wait(declined)
    if reason is None:
        return
    raise Refused("This is paid already." if reason.reason is NotChargedReason.EARLIER_PAID else UNCLEAR)


def _declined(sides: BothSides, code: str) -> list[str]:
    with sides.sessions() as session:
        row = checkout_row(session, code)
        return [] if row.charge_id is None else window_attempts.declined_of(session, row.charge_id)
