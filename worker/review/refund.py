"""Giving one payment back, as agreed: written down first, asked for with a checksum, believed when PortOne shows it."""

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


async def give_back(
    sessions: Sessions,
    gateway: Gateway,
    case: Case,
    refund: Refund,
    payment: PaymentRecord,
    *,
    by: str,
    clock: Clock,
) -> PaymentRecord:
    """Give the rest of a payment back, and return it as PortOne shows it then.

    Raises Refused when PortOne refuses or is not reached, and when nobody can be sure: then the begun refund stays
    written down, and the same one may be asked for again.
    """
    await asyncio.to_thread(_begin, sessions, case, refund, payment, by, clock())
    answer = await gateway.refund(refund)
    shown = answer if isinstance(answer, PaymentRecord) else await _shown(gateway, payment)
    if shown is not None and shown.imp_uid == refund.imp_uid and refunded(shown) == shown.amount:
        return shown
    if isinstance(answer, RefundRefused) and _is_certain(answer, payment):
        if case.refund_under_way is None:
            await asyncio.to_thread(_forget, sessions, case, refund)
        raise _refused(refund, answer)
    raise _unclear(refund, answer, shown)


def _is_certain(refusal: RefundRefused, payment: PaymentRecord) -> bool:
    """Say whether nothing was given back by it for certain. A time-out behind the PG, or "already", proves nothing."""
    if not refusal.sent:
        return True
    pg = str(payment.raw.get("pg_provider") or "")
    return classify(pg, None, refusal.answer.message) not in {Duplicate, NeedsLookUp}


def _refused(refund: Refund, refusal: RefundRefused) -> Refused:
    said = _words(refusal.answer)
    if refusal.sent:
        return Refused(f"PortOne has refused to give {refund.imp_uid} back{said}. The discrepancy stays open.")
    return Refused(f"PortOne was not reached{said}: nothing was given back by this. Run the same command again later.")


def _unclear(
    refund: Refund, answer: PaymentRecord | RefundRefused | LookUpFailed, shown: PaymentRecord | None
) -> Refused:
    said = "" if isinstance(answer, PaymentRecord) else _words(answer.answer)
    back = "nothing that can be read" if shown is None else money(refunded(shown), shown.currency)
    return Refused(
        f"Whether {refund.imp_uid} was given back is not clear{said}; PortOne shows {back} as given back. Run the same "
        "command again: it gives nothing back twice. The discrepancy stays open until PortOne shows it."
    )


def overtaken(case: Case) -> Refused:
    return Refused(f"Somebody else was faster: look at it again with `again review show {case.id}`.")


async def _shown(gateway: Gateway, payment: PaymentRecord) -> PaymentRecord | None:
    found = await gateway.look_up(payment.merchant_uid)
    records = found.records if isinstance(found, Found) else ()
    return next((record for record in records if record.imp_uid == payment.imp_uid), None)


def _begin(sessions: Sessions, case: Case, refund: Refund, payment: PaymentRecord, by: str, now: datetime) -> None:
    said = f"refund of {money(refund.checksum, payment.currency)} of {refund.imp_uid} begun: {refund.reason}"
    over_since = now - case.quiet_period
    with sessions.begin() as session:
        begun = decision_queries.begin_refund(
            session, case.id, imp_uid=refund.imp_uid, said=said, by=by, now=now, over_since=over_since
        )
    if not begun:
        raise overtaken(case)


def _forget(sessions: Sessions, case: Case, refund: Refund) -> None:
    with sessions.begin() as session:
        decision_queries.refund_refused(session, case.id, imp_uid=refund.imp_uid)


def _words(answer: Answer) -> str:
    return f" ({answer.message})" if answer.message else ""
