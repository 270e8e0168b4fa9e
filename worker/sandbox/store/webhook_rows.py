"""Webhooks in the ledger: the queue of those to be sent, and the log of those that were."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from worker.sandbox.rules.answers import as_json
from worker.sandbox.rules.payments import Payment
from worker.sandbox.rules.webhooks import Webhook, WebhookState
from worker.sandbox.store.ledger import Ledger

ADD = """
INSERT INTO webhooks (imp_uid, merchant_uid, status, cancellation_id, url, state, due_at) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
DUE = "SELECT * FROM webhooks WHERE state = 'waiting' AND due_at <= ? ORDER BY due_at, number LIMIT ?"
LOG = """
SELECT * FROM webhooks WHERE number > ? AND (? IS NULL OR merchant_uid = ?) AND (? IS NULL OR imp_uid = ?)
ORDER BY number
"""


def add(
    ledger: Ledger,
    payment: Payment,
    *,
    status: str,
    cancellation_id: str | None,
    url: str,
    state: WebhookState,
    due_at: float,
) -> None:
    """Record a webhook, to be sent when it is due."""
    ids = (payment["imp_uid"], payment["merchant_uid"])
    ledger.execute(ADD, (*ids, status, cancellation_id, url, state, due_at))


def waiting(ledger: Ledger) -> int:
    """Return the number of webhooks that are still to be sent."""
    number: int = ledger.value("SELECT count(*) FROM webhooks WHERE state = 'waiting'")
    return number


def due(ledger: Ledger, now: float, limit: int) -> list[Webhook]:
    """Return the due webhooks, the oldest first."""
    return [_webhook(row) for row in ledger.execute(DUE, (now, limit))]


def log(
    ledger: Ledger, *, after: int = 0, merchant_uid: str | None = None, imp_uid: str | None = None
) -> list[Webhook]:
    """Return every webhook after a number, oldest first."""
    return [_webhook(row) for row in ledger.execute(LOG, (after, merchant_uid, merchant_uid, imp_uid, imp_uid))]


def sent(ledger: Ledger, webhook: Webhook, send: Mapping[str, Any], state: WebhookState, *, due_at: float) -> None:
    """Record that a webhook was sent, and its new state."""
    sends = as_json([*webhook.sends, send])
    sql = "UPDATE webhooks SET state = ?, due_at = ?, sends = ? WHERE number = ?"
    ledger.execute(sql, (state, due_at, sends, webhook.number))


def send_again(ledger: Ledger, number: int, *, due_at: float) -> bool:
    """Queue a webhook again, as by hand in PortOne's console; False when there is none."""
    sql = "UPDATE webhooks SET state = 'waiting', due_at = ? WHERE number = ?"
    return ledger.execute(sql, (due_at, number)).rowcount > 0


def _webhook(row: sqlite3.Row) -> Webhook:
    values = dict(row)
    return Webhook(**{**values, "state": WebhookState(values["state"]), "sends": json.loads(values["sends"])})
