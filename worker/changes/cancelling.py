"""Cancelling and refunding in one: PortOne is asked first, then both are written down, then the money goes back."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from worker.changes import refund_queries
from worker.changes.refunds import RefundDesk
from worker.changes.request import ChangeRequest, RequestedChange, request_change
from worker.database.engine import Sessions
from worker.domain.changes import ChangeKind
from worker.domain.errors import Refused
from worker.ledger import changes
from worker.ledger.changes import Change


async def cancel_and_refund(desk: RefundDesk, request: ChangeRequest) -> RequestedChange:
    """Cancel a subscription at once with a refund, and carry the refund out unless it waits for approval.

    Returns the cancellation; `refund_of` is the refund that came with it: applied, scheduled while it waits for
    approval or for PortOne, or failed when PortOne refused it, which leaves the subscription canceled. Asked again
    under one idempotency key, both are the first ones, and what a crash has left is carried out. Raises Refused as
    `request_change` does, and when PortOne does not answer before; then nothing was done.
    """
    if request.kind is not ChangeKind.CANCEL:
        raise Refused("Only a cancellation refunds what was paid; ask for a refund of the charge instead.")
    await notice_current(desk, request.subscription or "")
    now = desk.context.clock()
    requested = await asyncio.to_thread(request_change, desk.context.sessions, request, policy=desk.policy, now=now)
    refund = await asyncio.to_thread(refund_of, desk.context.sessions, requested.change.id)
    if refund is not None:
        with suppress(Refused):  # the refund's change says why, and the subscription is canceled nevertheless
            await desk.carry_out(refund.id)
    return requested


async def notice_current(desk: RefundDesk, code: str) -> None:
    """Write down what PortOne shows as refunded of the current period's payment. Raises Refused as `notice` does."""
    charge_id = await asyncio.to_thread(_current_charge, desk, code)
    if charge_id is not None:
        await desk.notice(charge_id)


def refund_of(sessions: Sessions, cancellation_id: int) -> Change | None:
    """Return the refund that came with a cancellation, as it stands; None when none did."""
    with sessions() as session:
        refund_id = refund_queries.refund_of_cancellation(session, cancellation_id)
        return None if refund_id is None else changes.found(session, refund_id)


def _current_charge(desk: RefundDesk, code: str) -> int | None:
    with desk.context.sessions() as session:
        return refund_queries.current_charge(session, code, now=desk.context.clock())
