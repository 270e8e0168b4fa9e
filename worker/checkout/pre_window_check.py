"""Look-up of a charge's earlier attempts, before a window pays it under its next number."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from worker.checkout.context import CheckoutContext
from worker.checkout.links import find_checkout
from worker.domain.errors import RateLimited, Refused
from worker.domain.outcomes import NotChargedReason
from worker.ledger import window_attempts
from worker.reconciliation.pre_send_check import PreSendCheck

UNCLEAR = "PortOne does not answer just now, so it is not known whether this is paid already; please try again later."


async def look_up_earlier_attempts(
    context: CheckoutContext, code: str, *, may_ask: Callable[[str], bool] = lambda _: True
) -> None:
    """Look up the declined attempts of the charge that a link pays, and record what was paid after all.

    To be called before `agree`. Raises Refused when one of them was paid, or PortOne does not answer, and RateLimited
    when `may_ask` returns False for this checkout.
    """
    declined = await asyncio.to_thread(_declined, context, code)
    if declined and not may_ask(code):
        raise RateLimited
    earlier = PreSendCheck(
        sessions=context.sessions,
        gateway=context.gateway,
        clock=context.clock,
        prefix=context.prefix,
        rules=context.policy.rules,
    )
    reason = await earlier.reason_to_wait(declined)
    if reason is None:
        return
    raise Refused("This is paid already." if reason.reason is NotChargedReason.EARLIER_PAID else UNCLEAR)


def _declined(context: CheckoutContext, code: str) -> list[str]:
    with context.sessions() as session:
        charge_id = find_checkout(session, code).charge_id
        return [] if charge_id is None else window_attempts.declined_of(session, charge_id)
