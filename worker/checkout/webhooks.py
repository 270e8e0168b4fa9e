"""Processing webhook events: each is stored once, its payment is looked up, and only what PortOne shows then counts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from worker.checkout import order_queries, webhook_queries
from worker.checkout.completion import complete
from worker.checkout.context import CheckoutContext
from worker.checkout.webhook_queries import ProcessedWebhook, WebhookRow
from worker.database.engine import Sessions
from worker.domain.errors import Refused
from worker.domain.gateway import LookUpFailed, PaymentRecord
from worker.domain.identifiers import is_imp_uid
from worker.domain.merchant_uid import parse
from worker.domain.states import WebhookOutcome
from worker.reconciliation.compare import MONEY_MOVED, compare_page

WEBHOOK_LEASE = timedelta(minutes=2)
"""How long a webhook is left to the process that looks it up; should that one crash, maintenance takes it then."""

MAX_ID_LENGTH = 80
"""Characters of an id that a browser or a webhook names; PortOne's own have 40 at most (documented)."""

MAX_LENGTHS = {"imp_uid": MAX_ID_LENGTH, "merchant_uid": MAX_ID_LENGTH, "status": 20, "cancellation_id": MAX_ID_LENGTH}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """What a webhook says (documented). Nothing in it is believed."""

    imp_uid: str
    merchant_uid: str
    status: str
    cancellation_id: str | None = None


async def receive_webhook(context: CheckoutContext, event: WebhookEvent) -> None:
    """Store a webhook event and process it. Raises Refused for one that can be about no payment.

    The same event again is counted, and looked up only if PortOne has not confirmed it so far.
    """
    said = {
        "imp_uid": event.imp_uid,
        "merchant_uid": event.merchant_uid,
        "status": event.status,
        "cancellation_id": event.cancellation_id or "",
    }
    for name, text in said.items():
        if len(text) > MAX_LENGTHS[name] or not text.isascii() or not text.isprintable():
            raise Refused(f"{name} must be at most {MAX_LENGTHS[name]} printable ASCII characters.")
    if not is_imp_uid(event.imp_uid) or not event.merchant_uid:
        raise Refused("A webhook names imp_uid and merchant_uid.")
    webhook_id = await asyncio.to_thread(_store, context.sessions, said, context.clock())
    if webhook_id is not None:
        await process(context, WebhookRow(webhook_id, event.imp_uid, event.status))


async def process(context: CheckoutContext, webhook: WebhookRow) -> bool:
    """Look up a stored webhook's payment, and do what it asks for; False when PortOne does not answer."""
    named = await context.gateway.payment(webhook.imp_uid)
    if isinstance(named, LookUpFailed):
        return False
    outcome, detail = WebhookOutcome.UNKNOWN_PAYMENT, None
    for record in named.records:
        outcome, detail = await _process_payment(context, record)
    confirmed = any(_confirms(record, webhook.status) for record in named.records)
    processed = ProcessedWebhook(outcome, confirmed, detail)
    await asyncio.to_thread(_record, context.sessions, webhook.id, processed, context.clock())
    return True


def _confirms(record: PaymentRecord, status: str) -> bool:
    """Return whether PortOne shows what the webhook says. After a partial refund a payment is still `paid`."""
    return record.status == status or (status == "cancelled" and record.cancel_amount > 0)


async def _process_payment(context: CheckoutContext, record: PaymentRecord) -> tuple[WebhookOutcome, str | None]:
    """Complete the checkouts that the payment belongs to; then compare it with our records, as the statement is."""
    codes = await asyncio.to_thread(_codes, context.sessions, record.merchant_uid)
    outcome, detail = WebhookOutcome.NOT_OURS, None
    for code in codes:
        try:
            completion = await complete(context, code, imp_uid=None)
        except Refused as refused:
            outcome, detail = WebhookOutcome.REFUSED, str(refused)
        else:
            outcome, detail = WebhookOutcome(completion.progress), None
    parts = parse(record.merchant_uid)
    if parts is not None and parts.prefix == context.prefix:
        outcome = outcome if codes else WebhookOutcome.COMPARED
        if record.status in MONEY_MOVED:
            # A refund made in the console is noticed here, hours before the next daily statement.
            prefix, now = context.prefix, context.clock()
            await asyncio.to_thread(compare_page, context.sessions, [record], prefix=prefix, now=now)
    return outcome, detail


def _store(sessions: Sessions, said: dict[str, str], now: datetime) -> int | None:
    with sessions.begin() as session:
        return webhook_queries.store(session, said, now=now, lease=WEBHOOK_LEASE)


def _codes(sessions: Sessions, merchant_uid: str) -> list[str]:
    with sessions() as session:
        return list(order_queries.checkout_codes_of(session, merchant_uid))


def _record(sessions: Sessions, webhook_id: int, processed: ProcessedWebhook, now: datetime) -> None:
    with sessions.begin() as session:
        webhook_queries.record_processed(session, webhook_id, processed, now=now)
