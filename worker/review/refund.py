"""Refunds one payment, as agreed: recorded first, requested with a checksum, believed when PortOne shows it."""

from __future__ import annotations

import asyncio
from datetime import datetime

from worker.database.engine import Sessions
from worker.domain.clock import Clock
from worker.domain.declines import Duplicate, NeedsLookUp, classify
from worker.domain.discrepancy_rules import refunded
from worker.domain.errors import Refused
from worker.domain.gateway import Found, Gateway, LookUpFailed, PaymentRecord, Refund, RefundRefused
from worker.domain.outcomes import Answer
from worker.review import decision_queries
from worker.review.case import Case, money


async def refund_payment(
    sessions: Sessions,
    gateway: Gateway,
    case: Case,
    refund: Refund,
    payment: PaymentRecord,
    *,
    by: str,
    clock: Clock,
) -> PaymentRecord:
    """Refund the rest of a payment, and return it as PortOne shows it then.

    Raises Refused when PortOne refuses or is not reached, and when the result is not certain: then the started refund
    stays recorded, and the same one may be requested again.
    """
    await asyncio.to_thread(_record_start, sessions, case, refund, payment, by, clock())
    answer = await gateway.refund(refund)
    shown = answer if isinstance(answer, PaymentRecord) else await _shown(gateway, payment)
    if shown is not None and shown.imp_uid == refund.imp_uid and refunded(shown) == shown.amount:
        return shown
    if isinstance(answer, RefundRefused) and _is_certain(answer, payment):
        if case.refund_in_progress is None:
            await asyncio.to_thread(_forget_start, sessions, case, refund)
        raise _refused(refund, answer)
    raise _unclear(refund, answer, shown)


def _is_certain(refusal: RefundRefused, payment: PaymentRecord) -> bool:
    """Return whether it certainly refunded nothing. A time-out behind the PG, or "already", proves nothing."""
    if not refusal.sent:
        return True
    pg = str(payment.raw.get("pg_provider") or "")
    return classify(pg, None, refusal.answer.message) not in {Duplicate, NeedsLookUp}


def _refused(refund: Refund, refusal: RefundRefused) -> Refused:
    message = _message(refusal.answer)
    if refusal.sent:
        return Refused(f"PortOne refused to refund {refund.imp_uid}{message}. The discrepancy stays open.")
    return Refused(f"PortOne was not reached{message}: nothing was refunded by this. Run the same command again later.")


def _unclear(
    refund: Refund, answer: PaymentRecord | RefundRefused | LookUpFailed, shown: PaymentRecord | None
) -> Refused:
    message = "" if isinstance(answer, PaymentRecord) else _message(answer.answer)
    shown_refund = "nothing that can be read" if shown is None else money(refunded(shown), shown.currency)
    return Refused(
        f"Whether {refund.imp_uid} was refunded is not clear{message}; PortOne shows {shown_refund} as refunded. Run "
        "the same command again: it refunds nothing twice. The discrepancy stays open until PortOne shows it."
    )


def decided_meanwhile(case: Case) -> Refused:
    return Refused(f"Another process was faster: look at it again with `again review show {case.id}`.")


async def _shown(gateway: Gateway, payment: PaymentRecord) -> PaymentRecord | None:
    found = await gateway.look_up(payment.merchant_uid)
    records = found.records if isinstance(found, Found) else ()
    return next((record for record in records if record.imp_uid == payment.imp_uid), None)


def _record_start(
    sessions: Sessions, case: Case, refund: Refund, payment: PaymentRecord, by: str, now: datetime
) -> None:
    reason = f"refund of {money(refund.checksum, payment.currency)} of {refund.imp_uid} started: {refund.reason}"
    over_since = now - case.quiet_period
    with sessions.begin() as session:
        is_started = decision_queries.record_refund_start(
            session, case.id, imp_uid=refund.imp_uid, reason=reason, by=by, now=now, over_since=over_since
        )
    if not is_started:
        raise decided_meanwhile(case)


def _forget_start(sessions: Sessions, case: Case, refund: Refund) -> None:
    with sessions.begin() as session:
        decision_queries.forget_refund_start(session, case.id, imp_uid=refund.imp_uid)


def _message(answer: Answer) -> str:
    return f" ({answer.message})" if answer.message else ""
