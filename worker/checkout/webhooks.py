"""Webhooks are hints: each is stored once, its payment is looked up, and only what PortOne shows then counts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from worker.checkout import order_queries, webhook_queries
from worker.checkout.completion import complete
from worker.checkout.context import CheckoutContext
from worker.database.engine import Sessions
from worker.domain.errors import Refused
from worker.domain.gateway import LookUpFailed, PaymentRecord
from worker.domain.imp_uid import is_imp_uid
from worker.domain.merchant_uid import parse
from worker.reconciliation.compare import MONEY_MOVED, compare_page

HOLD = timedelta(minutes=2)
"""Should we die while looking one up, it is looked up again after so long."""

MAX_ID_LENGTH = 80
"""Of an id that a browser or a webhook names; PortOne's own have 40 characters at most (documented)."""

LONGEST = {"imp_uid": MAX_ID_LENGTH, "merchant_uid": MAX_ID_LENGTH, "status": 20, "cancellation_id": MAX_ID_LENGTH}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class StoredWebhook:
    """A stored webhook: what it names, and what it says of that."""

    id: int
    imp_uid: str
    status: str


async def hint(
    context: CheckoutContext, *, imp_uid: str, merchant_uid: str, status: str, cancellation_id: str | None = None
) -> None:
    """Store a webhook and look its payment up. Raises Refused for one that can be about no payment.

    The same hint again is counted, and looked up only if PortOne has not borne it out so far.
    """
    said = {
        "imp_uid": imp_uid,
        "merchant_uid": merchant_uid,
        "status": status,
        "cancellation_id": cancellation_id or "",
    }
    for name, text in said.items():
        if len(text) > LONGEST[name] or not text.isascii() or not text.isprintable():
            raise Refused(f"{name} must be at most {LONGEST[name]} printable ASCII characters.")
    if not is_imp_uid(imp_uid) or not merchant_uid:
        raise Refused("A webhook names imp_uid and merchant_uid.")
    webhook_id = await asyncio.to_thread(_store, context.sessions, said, context.clock())
    if webhook_id is not None:
        await look_up(context, StoredWebhook(webhook_id, imp_uid, status))


async def look_up(context: CheckoutContext, heard: StoredWebhook) -> bool:
    """Look a stored webhook's payment up, and do what that asks for; False when PortOne does not answer."""
    named = await context.gateway.payment(heard.imp_uid)
    if isinstance(named, LookUpFailed):
        return False
    outcome = "PortOne shows no such payment"
    for record in named.records:
        outcome = await _heed(context, record)
    confirmed = any(_bears_out(record, heard.status) for record in named.records)
    await asyncio.to_thread(_looked_up, context.sessions, heard.id, outcome, confirmed, context.clock())
    return True


def _bears_out(record: PaymentRecord, status: str) -> bool:
    """Say whether PortOne shows what the webhook says. After a partial cancellation a payment is still `paid`."""
    return record.status == status or (status == "cancelled" and record.cancel_amount > 0)


async def _heed(context: CheckoutContext, record: PaymentRecord) -> str:
    """Complete the checkouts that the payment belongs to; then compare it with the books, as a sweep does."""
    codes = await asyncio.to_thread(_codes, context.sessions, record.merchant_uid)
    outcome = "not a payment of ours"
    for code in codes:
        try:
            completion = await complete(context, code, imp_uid=None)
        except Refused as refused:
            outcome = f"refused: {refused}"
        else:
            outcome = completion.progress.value
    parts = parse(record.merchant_uid)
    if parts is not None and parts.prefix == context.prefix:
        outcome = outcome if codes else "compared"
        if record.status in MONEY_MOVED:
            # A cancellation in the console is noticed here, hours before the next sweep.
            await asyncio.to_thread(
                compare_page, context.sessions, [record], prefix=context.prefix, now=context.clock()
            )
    return outcome


def _store(sessions: Sessions, said: dict[str, str], now: datetime) -> int | None:
    with sessions.begin() as session:
        return webhook_queries.store(session, said, now=now, hold=HOLD)


def _codes(sessions: Sessions, merchant_uid: str) -> list[str]:
    with sessions() as session:
        return list(order_queries.codes_of(session, merchant_uid))


def _looked_up(sessions: Sessions, webhook_id: int, outcome: str, confirmed: bool, now: datetime) -> None:
    with sessions.begin() as session:
        webhook_queries.looked_up(session, webhook_id, outcome=outcome, confirmed=confirmed, now=now)
