"""A PortOne webhook: its body, and when it is sent again. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from worker.sandbox.rules.answers import as_json
from worker.sandbox.switches import WebhookFormat

CONNECT_SECONDS = 10.0  # [documented], of the first send
READ_SECONDS = 30.0  # [documented], of the first send
RESEND_SECONDS = 15.0  # [documented], a later send as a whole
RESEND_AFTER_SECONDS = 60.0  # [documented]


class WebhookState(StrEnum):
    """The state of a webhook. One that did not fit into the queue is `dropped` and never sent."""

    WAITING = "waiting"
    DELIVERED = "delivered"  # answered with 200 [documented as the end of it]
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Webhook:
    """One message to one address; `sends` tells of each time it was sent, oldest first."""

    number: int
    imp_uid: str
    merchant_uid: str
    status: str
    cancellation_id: str | None
    url: str
    state: WebhookState
    due_at: float
    sends: Sequence[dict[str, Any]]

    @property
    def body(self) -> dict[str, str]:
        """What is sent [documented]: no customer_uid, no signature, and cancellation_id on cancels only."""
        body = {"imp_uid": self.imp_uid, "merchant_uid": self.merchant_uid, "status": self.status}
        return body if self.cancellation_id is None else {**body, "cancellation_id": self.cancellation_id}


def written(webhook: Webhook, form: WebhookFormat) -> tuple[str, bytes]:
    """Return the content type and bytes of a webhook."""
    if form is WebhookFormat.FORM:
        return "application/x-www-form-urlencoded", urlencode(webhook.body).encode()
    return "application/json", as_json(webhook.body).encode()


def after_send(webhook: Webhook, status: int | None, *, resends: int) -> WebhookState:
    """Return the state of a webhook after an answer with an HTTP status, or without an answer (None).

    After network errors and 5xx it is sent again up to `resends` times; any other answer ends it [documented].
    """
    if status == 200:
        return WebhookState.DELIVERED
    failed = status is None or status >= 500
    return WebhookState.WAITING if failed and len(webhook.sends) < resends else WebhookState.FAILED
