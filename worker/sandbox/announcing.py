"""Putting webhooks into the queue: which news is told, and to which address."""

from __future__ import annotations

from collections.abc import Sequence

from worker.sandbox import webhook_rows
from worker.sandbox.payments import Payment
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.webhooks import WebhookState

MOST_WAITING = 5000  # what comes beyond is logged as dropped: a dead receiver must not fill the ledger


def announce(
    sandbox: Sandbox, payment: Payment, notice_urls: Sequence[str], *, cancellation_id: str | None = None
) -> None:
    """Tell the merchant that a payment was approved or, with a cancellation_id, cancelled. Failures are never told.

    notice_url of the payment replaces the usual address [documented]; a partial cancel is `cancelled` too [assumed].
    Without any address nothing happens.
    """
    usual = sandbox.switches.webhook_url
    urls = notice_urls or ([usual] if usual else [])
    if not urls:
        return
    has_room = webhook_rows.waiting(sandbox.ledger) + len(urls) <= MOST_WAITING
    for url in urls:
        webhook_rows.add(
            sandbox.ledger,
            payment,
            status="paid" if cancellation_id is None else "cancelled",
            cancellation_id=cancellation_id,
            url=url,
            state=WebhookState.WAITING if has_room else WebhookState.DROPPED,
            due_at=sandbox.moment() + sandbox.switches.webhook_delay_seconds,
        )
    sandbox.news()
