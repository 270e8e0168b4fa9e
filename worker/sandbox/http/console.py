"""PortOne's console for merchants, as admin calls: listing windows and webhooks, cancelling, resending."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from worker.sandbox import cancelling
from worker.sandbox.rules import stories
from worker.sandbox.rules.charge_requests import HIGHEST_NUMBER
from worker.sandbox.rules.windows import Window
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.store import cancel_story, webhook_rows, window_rows

MOST_AHEAD_SECONDS = 20 * 366 * 86_400

USUAL_REASON = "관리자 취소"  # [assumed]


def windows(sandbox: Sandbox, *, merchant_uid: str | None) -> list[dict[str, Any]]:
    """Return all payment windows that were opened, oldest first."""
    return [_shown(window) for window in window_rows.everything(sandbox.ledger, merchant_uid=merchant_uid)]


def webhooks(sandbox: Sandbox, *, after: int, merchant_uid: str | None, imp_uid: str | None) -> list[dict[str, Any]]:
    """Return the log of webhooks, oldest first: waiting, sent, failed, and dropped because the queue was full."""
    found = webhook_rows.log(sandbox.ledger, after=after, merchant_uid=merchant_uid, imp_uid=imp_uid)
    return [{**asdict(webhook), "body": webhook.body} for webhook in found]


def resend(sandbox: Sandbox, values: Mapping[str, Any]) -> dict[str, Any]:
    """Send a webhook once more, now; raises ValueError."""
    number = values.get("number")
    is_number = isinstance(number, int) and not isinstance(number, bool) and 0 < number < HIGHEST_NUMBER
    if not is_number or not webhook_rows.send_again(sandbox.ledger, number or 0, due_at=sandbox.moment()):
        raise ValueError("There is no webhook with that number.")
    sandbox.news()
    return {}


def cancel(sandbox: Sandbox, values: Mapping[str, Any]) -> dict[str, Any]:
    """Cancel a payment, wholly or by an amount in KRW; the webhook goes out as from PortOne. Raises ValueError."""
    amount, reason = values.get("amount"), values.get("reason") or USUAL_REASON
    if amount is not None and (isinstance(amount, bool) or not isinstance(amount, int)):
        raise ValueError("amount is a whole number of KRW.")
    if not isinstance(reason, str):
        raise ValueError("reason is text.")  # noqa: TRY004 (a caller's mistake, not a program's)
    with sandbox.ledger.transaction():
        return cancelling.cancel_in_console(sandbox, str(values.get("imp_uid")), amount=amount, reason=reason)


def turn_clock(sandbox: Sandbox, values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the clock `ahead_seconds` ahead of this machine's, unless a call is being carried out; raises ValueError."""
    ahead = values.get("ahead_seconds")
    if isinstance(ahead, bool) or not isinstance(ahead, (int, float)) or not abs(ahead) <= MOST_AHEAD_SECONDS:
        raise ValueError(f"ahead_seconds is a number of seconds, {MOST_AHEAD_SECONDS:,} at most.")
    return {"turned": sandbox.turn_clock(timedelta(seconds=ahead)), "now": sandbox.now()}


def set_cancel_story(sandbox: Sandbox, values: Mapping[str, Any]) -> dict[str, Any]:
    """Set how the next calls of `POST /payments/cancel` go; raises ValueError."""
    cancel_story.set_story(sandbox.ledger, stories.read(values.get("behaviours")))
    return {}


def _shown(window: Window) -> dict[str, Any]:
    request = window.request
    return {
        "window_id": window.window_id,
        "path": window.path,
        "imp_uid": window.imp_uid,
        "merchant_uid": request.merchant_uid,
        "customer_uid": request.customer_uid,
        "pg_provider": window.pg_provider,
        "use": request.use.value,
        "amount": request.amount,
        "mobile": request.mobile,
        "state": window.state.value,
        "opened_at": window.opened_at,
    }
