"""Which webhooks are queued for a change of a payment."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from worker.sandbox import announcing
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.store import webhook_rows
from worker.sandbox.store.ledger import Ledger


def test_webhooks_beyond_a_full_queue_are_logged_as_dropped(monkeypatch: pytest.MonkeyPatch):
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
