"""Queueing webhooks: which changes of a payment are reported, and to which address."""

from __future__ import annotations

from collections.abc import Sequence

from worker.sandbox.rules.payments import Payment
from worker.sandbox.rules.webhooks import WebhookState
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.store import payment_rows, webhook_rows

MOST_WAITING = 5000  # webhooks; those beyond are logged as dropped, so that a dead receiver cannot fill the ledger


def usual(sandbox: Sandbox) -> list[str]:
    """Return the webhook address of the merchant's settings, if there is one."""
    return [sandbox.switches.webhook_url] if sandbox.switches.webhook_url else []


def has_webhooks(sandbox: Sandbox, notice_urls: Sequence[str]) -> bool:
    """Return whether webhooks of a payment that is made now go anywhere."""
    return bool(notice_urls or usual(sandbox))


def announce_cancel(sandbox: Sandbox, payment: Payment, cancellation_id: str) -> None:
    """Queue the webhook of a cancel: to the usual address, and only for payments that had webhooks when made.

    Both are documented, for cancels by API; that the console does so too is assumed.
    """
    if payment_rows.has_webhooks(sandbox.ledger, payment["imp_uid"]):
        announce(sandbox, payment, (), cancellation_id=cancellation_id)


def announce(
    sandbox: Sandbox,
    payment: Payment,
    notice_urls: Sequence[str],
    *,
    cancellation_id: str | None = None,
    failed: bool = False,
) -> None:
    """Queue the webhook of an approved payment or, with a cancellation_id, of a cancelled one.

    Of failures only those of schedules are reported [documented].

    notice_url of the payment replaces the usual address [documented] for its approval; a partial cancel is `cancelled`
    too [assumed]. Without any address nothing happens.
    """
    urls = notice_urls or usual(sandbox)
    if not urls:
        return
    has_room = webhook_rows.waiting(sandbox.ledger) + len(urls) <= MOST_WAITING
    for url in urls:
        webhook_rows.add(
            sandbox.ledger,
            payment,
            status="failed" if failed else "paid" if cancellation_id is None else "cancelled",
            cancellation_id=cancellation_id,
            url=url,
            state=WebhookState.WAITING if has_room else WebhookState.DROPPED,
            due_at=sandbox.moment() + sandbox.switches.webhook_delay_seconds,
        )
    sandbox.news()
