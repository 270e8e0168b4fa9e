"""Payment windows in the ledger: they outlive the process, so that a buyer can continue after a restart."""

from __future__ import annotations

import json
import sqlite3

from worker.sandbox.rules import window_requests
from worker.sandbox.rules.answers import as_json
from worker.sandbox.rules.callbacks import Callback
from worker.sandbox.rules.windows import State, Window
from worker.sandbox.store.ledger import Ledger

ADD = """
INSERT INTO windows (window_id, imp_uid, merchant_uid, state, opened_at, request) VALUES (?, ?, ?, ?, ?, ?)
"""
LIST = "SELECT * FROM windows WHERE (? IS NULL OR merchant_uid = ?) ORDER BY opened_at, imp_uid"


def add(ledger: Ledger, window: Window) -> None:
    """Record a window that was just opened."""
    request = {
        "asked": window.request.as_json(),
        "host_origin": window.host_origin,
        "user_agent": window.user_agent,
    }
    values = (window.window_id, window.imp_uid, window.request.merchant_uid, window.state, window.opened_at)
    ledger.execute(ADD, (*values, as_json(request)))


def find(ledger: Ledger, window_id: str) -> Window | None:
    row = ledger.execute("SELECT * FROM windows WHERE window_id = ?", (window_id,)).fetchone()
    return None if row is None else _window(row)


def everything(ledger: Ledger, *, merchant_uid: str | None = None) -> list[Window]:
    """Return all windows, the first opened first; of one merchant_uid if named."""
    return [_window(row) for row in ledger.execute(LIST, (merchant_uid, merchant_uid))]


def decide(ledger: Ledger, window: Window, state: State, result: Callback) -> None:
    """Record how a window ended; one that was decided before stays as it is."""
    sql = "UPDATE windows SET state = ?, result = ? WHERE window_id = ? AND state = ?"
    ledger.execute(sql, (state, as_json(result), window.window_id, State.OPEN))


def _window(row: sqlite3.Row) -> Window:
    request = json.loads(row["request"])
    return Window(
        window_id=row["window_id"],
        imp_uid=row["imp_uid"],
        request=window_requests.from_json(request["asked"]),
        host_origin=request["host_origin"],
        user_agent=request["user_agent"],
        opened_at=row["opened_at"],
        state=State(row["state"]),
        result=json.loads(row["result"]) if row["result"] else None,
    )


def is_known(ledger: Ledger, merchant_uid: str) -> bool:
    """Return whether a window was ever opened under a merchant_uid."""
    return ledger.value("SELECT 1 FROM windows WHERE merchant_uid = ?", (merchant_uid,)) is not None
