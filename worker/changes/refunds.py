"""Refunds as changes: asked for, approved, recorded, and carried out at PortOne.

A change of this kind waits for PortOne. Its row is committed with the request; the refund's row before the call. What a
crash leaves at either of them, the tick goes on with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from worker.changes import refund_queries
from worker.changes.holds import require_no_hold
from worker.changes.kind import ChangePolicy
from worker.changes.kinds.refund import Refund, found_charge, new_refund
from worker.changes.request import ChangeRequest, RequestedChange, request_change
from worker.changes.subjects import lock_subject
from worker.changes.undo import known
from worker.domain.changes import ChangeKind, ChangeStatus, Moment, WaitsFor
from worker.domain.clock import elapsed_seconds
from worker.domain.errors import RefusalCode, Refused
from worker.domain.gateway import LookUpFailed
from worker.domain.refund_settlement import OpenRefund, RefundSettlement
from worker.ledger import changes, refunds
from worker.ledger.changes import Change
from worker.reconciliation.compare import compare_page
from worker.refunds.carry_out import REFUND_LEASE, RefundContext, send, settle_by_hand
from worker.refunds.open_refunds import RefundsGoneOn, go_on_with_refunds
from worker.refunds.references import new_reference
from worker.refunds.terms import refund_of, require_refundable

CHUNK = 20
"""Changes whose refund is started at once."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RefundDesk:
    """What refunds are asked for with: PortOne, our records, what the settings say, the prefix of our merchant_uids."""

    context: RefundContext
    policy: ChangePolicy
    prefix: str

    async def refund_payment(self, request: ChangeRequest) -> RequestedChange:
        """Refund a payment: look at PortOne, write the change down, and carry it out unless it waits for approval.

        Returns the change as it stands then: applied once PortOne shows the refund; scheduled while it waits for
        approval, or while what became of it is not clear. Asked again under one idempotency key, it is the first one,
        as it stands, a failed one too. Raises Refused as `request_change` does, when PortOne does not answer before,
        and when it refuses; then nothing was refunded.
        """
        if request.kind is not ChangeKind.REFUND or request.charge is None:
            raise Refused("A refund is of one charge: name its id.")
        if request.when not in {None, Moment.NOW}:
            raise Refused("A refund is made at once; it cannot be given a date.")
        await self.notice(request.charge)
        now = self.context.clock()
        requested = await asyncio.to_thread(request_change, self.context.sessions, request, policy=self.policy, now=now)
        return replace(requested, change=await self.carry_out(requested.change.id))

    async def approve(self, change_id: int) -> Change:
        """Approve a refund as another actor than the one who has asked for it, and carry it out.

        Raises Refused for a change that waits for no approval, for its own requester, and as `refund_payment` does.
        """
        await self.notice(await self.require_approvable(change_id))
        await asyncio.to_thread(self._approve, change_id)
        return await self.carry_out(change_id)

    async def require_approvable(self, change_id: int) -> int:
        """Return the charge of a change that this actor may approve. Raises Refused for any other change."""
        return await asyncio.to_thread(self._require_approvable, change_id)

    async def notice(self, charge_id: int) -> None:
        """Write down what PortOne shows as refunded of a charge, as the sweep does: previews rest on it.

        Raises Refused for a charge of which nothing can be refunded, and when PortOne does not answer.
        """
        imp_uid = await asyncio.to_thread(self._payment_of, charge_id)
        if imp_uid is None:
            return
        found = await self.context.gateway.payment(imp_uid)
        if isinstance(found, LookUpFailed):
            said = f" ({found.answer.message})" if found.answer.message else ""
            raise Refused(
                f"PortOne does not answer{said}, so what is left to refund is not known. Try again later.",
                code=RefusalCode.BUSY,
            )
        if not found.records:
            raise Refused(f"PortOne shows no payment {imp_uid}: look at it with `again sweep`, and refund it there.")
        now = self.context.clock()
        await asyncio.to_thread(compare_page, self.context.sessions, found.records, prefix=self.prefix, now=now)

    async def carry_out(self, change_id: int) -> Change:
        """Record and send the refund of a change that waits for PortOne, and return the change as it stands then."""
        started = await asyncio.to_thread(self._start, change_id)
        if started is not None:
            await send(self.context, started)
        change = await asyncio.to_thread(self._known, change_id)
        if started is not None and change.status is ChangeStatus.FAILED:
            raise Refused(_sentence(change))
        return change

    async def settle_by_hand(self, charge_id: int, *, completed: bool, reason: str) -> RefundSettlement:
        """Settle the open refund of a charge as an operator says, unless PortOne shows what became of it.

        Raises Refused for a charge without one, and for one that is still looked up by itself.
        """
        open_refund = await asyncio.to_thread(self._open_refund, charge_id)
        return await settle_by_hand(self.context, open_refund, completed=completed, reason=reason)

    # --- in transactions ----------------------------------------------------------------------------------------------

    def _payment_of(self, charge_id: int) -> str | None:
        """Return the payment to look at; None where an open refund is being looked at already."""
        with self.context.sessions() as session:
            charge = found_charge(session, charge_id)
            if charge.open_refund is None and charge.left > 0:
                require_refundable(charge)
            return None if charge.open_refund is not None else charge.imp_uid or None

    def _open_refund(self, charge_id: int) -> OpenRefund:
        with self.context.sessions() as session:
            open_refund = refunds.open_refund_of(session, found_charge(session, charge_id).imp_uid)
        if open_refund is None:
            raise Refused(f"Charge {charge_id} has no open refund. `again charge show {charge_id}` shows those it has.")
        return open_refund

    def _require_approvable(self, change_id: int) -> int:
        with self.context.sessions() as session:
            change = known(session, change_id)
            _require_approvable(change, refund_queries.actor(session))
            return change.charge_id or 0

    def _approve(self, change_id: int) -> None:
        now = self.context.clock()
        with self.context.sessions.begin() as session:
            change, by = known(session, change_id), refund_queries.actor(session)
            _require_approvable(change, by)
            require_no_hold(session, change.kind, moves_money=True)
            lock_subject(session, subscription=None, charge=change.charge_id)
            left = found_charge(session, change.charge_id or 0).left
            if change.preview["refunded"] > left:
                raise Refused(
                    f"{left:,} KRW of charge {change.charge_id} is left by now, which is less than what was asked for. "
                    f"Undo it with `again change undo {change_id}`, and ask for another refund."
                )
            is_first = changes.go_on(
                session,
                change_id,
                expected=WaitsFor.APPROVAL,
                then=WaitsFor.PORTONE,
                now=now,
                approved_by=by,
            )
            if not is_first:
                raise Refused(f"Change {change_id} was decided meanwhile: see `again change show {change_id}`.")

    def _start(self, change_id: int) -> OpenRefund | None:
        with self.context.sessions.begin() as session:
            return start_refund(session, change_id, now=self.context.clock())

    def _known(self, change_id: int) -> Change:
        with self.context.sessions() as session:
            return known(session, change_id)


def start_refund(session: Session, change_id: int, *, now: datetime) -> OpenRefund | None:
    """Record the refund of a change that waits for PortOne, to the won as it was shown, and return it to be sent.

    None when it does not wait for PortOne, was started before, or cannot be refunded by now: then it has failed.
    """
    change = changes.found(session, change_id)
    if change is None or change.charge_id is None or change.kind is not ChangeKind.REFUND:
        return None
    lock_subject(session, subscription=None, charge=change.charge_id)
    change = changes.found(session, change_id)
    if change is None or change.waits_for is not WaitsFor.PORTONE or refunds.is_started(session, change_id):
        return None
    charge, wanted = found_charge(session, change.charge_id or 0), Refund().read(change.parameters)
    shown = replace(wanted, amount=int(change.preview["refunded"]), unused_days=False)
    try:
        refund = refund_of(charge, shown, reason=change.reason, reference=new_reference(), now=now)
    except Refused as refused:
        changes.end(session, [change_id], ChangeStatus.FAILED, reason=str(refused), now=now)
        log.warning("refund has failed before it was sent", change=change_id, reason=str(refused))
        return None
    new = new_refund(charge, refund, wanted, at=change.effective_at, change_id=change_id)
    return refunds.record(session, new, now=now, lease=REFUND_LEASE)


async def go_on_with_changes(
    desk: RefundDesk,
    *,
    budget: timedelta,
    stopping: Callable[[], bool],
    monotonic: Callable[[], float] = elapsed_seconds,
) -> RefundsGoneOn:
    """Start the refunds that were asked for and whose process has ended, then go on with every open one."""
    for change_id in await asyncio.to_thread(_to_start, desk.context):
        started = await asyncio.to_thread(desk._start, change_id)  # noqa: SLF001 - this module's own
        if started is not None:
            await send(desk.context, started)
    return await go_on_with_refunds(desk.context, budget=budget, stopping=stopping, monotonic=monotonic)


def _to_start(context: RefundContext) -> list[int]:
    with context.sessions() as session:
        return list(refund_queries.changes_to_start(session, now=context.clock(), limit=CHUNK))


def _require_approvable(change: Change, by: str) -> None:
    if change.status is not ChangeStatus.SCHEDULED or change.waits_for is not WaitsFor.APPROVAL:
        stands = change.status.value if change.waits_for is None else f"waiting for {change.waits_for}"
        raise Refused(f"Change {change.id} waits for no approval: it is {stands}.")
    if by == change.requested_by:
        raise Refused(
            f"Change {change.id} was asked for by {by}, and must be approved by another operator: under another user "
            "or from another machine."
        )


def _sentence(change: Change) -> str:
    return f"Change {change.id}: {change.status_reason}. See `again charge show {change.charge_id}`."
