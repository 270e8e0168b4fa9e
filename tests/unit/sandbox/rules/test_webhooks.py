"""The body of a webhook, and when it is sent again."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs

import pytest

from worker.sandbox.rules.webhooks import Webhook, WebhookState, after_send, written
from worker.sandbox.switches import WebhookFormat

PAID = Webhook(1, "imp_000000000001", "m 1&", "paid", None, "https://a.example/", WebhookState.WAITING, 0.0, [])

SEND = {"at": 0.0, "status": 500, "error": None}


def test_webhook_body_is_json_or_a_form():
    assert written(PAID, WebhookFormat.JSON) == (
        "application/json",
        b'{"imp_uid":"imp_000000000001","merchant_uid":"m 1&","status":"paid"}',
    )
    content_type, body = written(PAID, WebhookFormat.FORM)
    assert content_type == "application/x-www-form-urlencoded"
    assert parse_qs(body.decode()) == {name: [value] for name, value in PAID.body.items()}


def test_only_a_cancel_webhook_has_a_cancellation_id():
    assert "cancellation_id" not in PAID.body
    assert replace(PAID, status="cancelled", cancellation_id="c1").body["cancellation_id"] == "c1"


@pytest.mark.parametrize(
    ("status", "sends", "resends", "state"),
    [
        (200, 0, 0, WebhookState.DELIVERED),
        (None, 0, 0, WebhookState.FAILED),  # sent once by default
        (500, 0, 0, WebhookState.FAILED),
        (None, 0, 5, WebhookState.WAITING),
        (503, 4, 5, WebhookState.WAITING),
        (503, 5, 5, WebhookState.FAILED),  # the first send and five more
        (404, 0, 5, WebhookState.FAILED),  # neither a network error nor 5xx
        (302, 0, 5, WebhookState.FAILED),
        (200, 3, 5, WebhookState.DELIVERED),
    ],
)
def test_webhook_is_resent_only_after_network_errors_and_5xx(
    status: int | None, sends: int, resends: int, state: WebhookState
):
    assert after_send(replace(PAID, sends=[SEND] * sends), status, resends=resends) is state
