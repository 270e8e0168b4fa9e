"""Refunds one payment, as agreed in a review: by a row of its own, carried out as every refund is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import assert_never

from sqlalchemy.orm import Session

from worker.domain.discrepancy_rules import refunded
from worker.domain.errors import Refused
from worker.domain.gateway import PaymentRecord, Refund
from worker.domain.outcomes import Answer
from worker.domain.refund_settlement import OpenRefund
from worker.domain.refunds import RefundStatus
from worker.ledger import refunds
from worker.ledger.refunds import NewRefund
from worker.refunds.carry_out import REFUND_LEASE, CarriedOut, RefundContext, send
from worker.refunds.references import new_reference
from worker.review import decision_queries
from worker.review.case import Case, money


async def refund_payment(
    context: RefundContext, case: Case, refund: Refund, payment: PaymentRecord, *, by: str
) -> PaymentRecord:
    """Refund a payment, and return it as PortOne shows it then.

    Raises Refused when PortOne refuses or is not reached, and when the result is not certain: then the started refund
    stays recorded and is looked up by the tick, and the same one may be requested again.
    """
    known = await asyncio.to_thread(_record_start, context, case, refund, payment, by)
    done = await send(context, known)
    if done is None:
        raise decided_meanwhile(case)
    match done.settlement.status:
        case RefundStatus.COMPLETED if done.shown is not None:
            return done.shown
        case RefundStatus.REFUSED:
            if case.refund_in_progress is None:
                await asyncio.to_thread(_forget_start, context, case, refund)
            raise _refused(refund, done)
        case RefundStatus.REQUESTED | RefundStatus.UNCLEAR | RefundStatus.COMPLETED:
            raise _unclear(refund, done)
        case _:
            assert_never(done.settlement.status)


def _refused(refund: Refund, done: CarriedOut) -> Refused:
    message = _message(done.settlement.answer)
    if done.settlement.is_sent:
        return Refused(f"PortOne refused to refund {refund.imp_uid}{message}. The discrepancy stays open.")
    return Refused(f"PortOne was not reached{message}: nothing was refunded by this. Run the same command again later.")


def _unclear(refund: Refund, done: CarriedOut) -> Refused:
    shown = done.shown
    shown_refund = "nothing that can be read" if shown is None else money(refunded(shown), shown.currency)
    return Refused(
        f"Whether {refund.imp_uid} was refunded is not clear{_message(done.settlement.answer)}; PortOne shows "
        f"{shown_refund} as refunded. Run the same command again: it refunds nothing twice. The discrepancy stays open "
        "until PortOne shows it."
    )


def decided_meanwhile(case: Case) -> Refused:
    return Refused(f"Another process was faster: look at it again with `again review show {case.id}`.")


def _record_start(context: RefundContext, case: Case, refund: Refund, payment: PaymentRecord, by: str) -> OpenRefund:
    """Record the refund, or return the row of the same one, which is requested again.

    Raises Refused when another decision was faster, or another refund of the payment is open.
    """
    now = context.clock()
    reason = f"refund of {money(refund.amount, payment.currency)} of {refund.imp_uid} started: {refund.reason}"
    with context.sessions.begin() as session:
        is_started = decision_queries.record_refund_start(
            session,
            case.id,
            imp_uid=refund.imp_uid,
            reason=reason,
            by=by,
            now=now,
            over_since=now - case.quiet_period,
        )
        if not is_started:
            raise decided_meanwhile(case)
        return refunds.record(session, _new(case, refund, payment), now=now, lease=REFUND_LEASE) or _same(
            session, refund
        )


def _new(case: Case, refund: Refund, payment: PaymentRecord) -> NewRefund:
    is_counted = case.charge is not None and payment.imp_uid in case.charge.counted
    return NewRefund(
        refund=replace(refund, reference=new_reference()),
        merchant_uid=payment.merchant_uid,
        currency=payment.currency,
        paid=payment.amount,
        charge_id=case.charge.id if case.charge is not None and is_counted else None,
        discrepancy_id=case.id,
    )


def _same(session: Session, refund: Refund) -> OpenRefund:
    known = refunds.open_refund_of(session, refund.imp_uid)
    if known is None or (known.refund.amount, known.refund.checksum) != (refund.amount, refund.checksum):
        raise Refused(
            f"Another refund of {refund.imp_uid} is open, and is looked up within minutes. Look at it with `again "
            "status`, and run the same command again when it has ended."
        )
    return known


def _forget_start(context: RefundContext, case: Case, refund: Refund) -> None:
    with context.sessions.begin() as session:
        decision_queries.forget_refund_start(session, case.id, imp_uid=refund.imp_uid)


def _message(answer: Answer) -> str:
    return f" ({answer.message})" if answer.message else ""
