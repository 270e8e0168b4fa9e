"""What stands in a webhook, and when it is sent again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest

from worker.sandbox import announcing
from worker.sandbox.rules.webhooks import Webhook, WebhookState, after_send, written
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.store import webhook_rows
from worker.sandbox.store.ledger import Ledger
from worker.sandbox.switches import BadSwitch, Switches, WebhookFormat

PAID = Webhook(1, "imp_000000000001", "m 1&", "paid", None, "https://a.example/", WebhookState.WAITING, 0.0, [])
SEND = {"at": 0.0, "status": 500, "error": None}


def test_a_webhook_is_json_or_a_form():
    assert written(PAID, WebhookFormat.JSON) == (
        "application/json",
        b'{"imp_uid":"imp_000000000001","merchant_uid":"m 1&","status":"paid"}',
    )
    content_type, body = written(PAID, WebhookFormat.FORM)
    assert content_type == "application/x-www-form-urlencoded"
    assert parse_qs(body.decode()) == {name: [value] for name, value in PAID.body.items()}


def test_only_a_cancel_names_its_cancellation():
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
def test_only_network_errors_and_5xx_are_sent_again(status: int | None, sends: int, resends: int, state: WebhookState):
    assert after_send(replace(PAID, sends=[SEND] * sends), status, resends=resends) is state


def test_a_full_queue_drops_what_comes_beyond_it_and_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(announcing, "MOST_WAITING", 3)
    ledger = Ledger(":memory:")
    sandbox = Sandbox(ledger, lambda: datetime(2026, 3, 1, tzinfo=UTC))
    rung: list[bool] = []
    sandbox.news = lambda: rung.append(True)
    payment = {"imp_uid": "imp_000000000001", "merchant_uid": "m1"}
    announcing.announce(sandbox, payment, [])
    assert (rung, webhook_rows.log(ledger)) == ([], []), "without an address nothing happens"
    for _ in range(2):
        announcing.announce(sandbox, payment, ["https://a.example/", "https://b.example/"])
    assert [each.state for each in webhook_rows.log(ledger)] == ["waiting", "waiting", "dropped", "dropped"]
    ledger.close()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"webhook_url": "ftp://a.example/"}, "http://"),
        ({"webhook_url": None}, "http://"),
        ({"webhook_format": "xml"}, "json, form"),
        ({"webhook_source": "localhost"}, "IP address"),
        ({"webhook_source": 5}, "IP address"),
        ({"webhook_resends": 6}, "0 to 5"),
        ({"webhook_resends": True}, "0 to 5"),
        ({"window_reports": 1}, "true or false"),
        ({"registration_amount": "both"}, "zero, shown"),
    ],
)
def test_a_switch_of_windows_or_webhooks_takes_only_what_it_says(changes: dict[str, object], complaint: str):
    with pytest.raises(BadSwitch, match=complaint):
        Switches().changed(changes)
