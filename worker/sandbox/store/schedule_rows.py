"""Scheduled charges in the ledger."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from worker.sandbox.rules.answers import as_json
from worker.sandbox.rules.schedules import Schedule, State
from worker.sandbox.store.ledger import Ledger

PUT = """
INSERT INTO schedules (merchant_uid, customer_uid, schedule_at, fields, state, imp_uid, payment_status, fail_reason,
                       executed_at, revoked_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (merchant_uid) DO UPDATE SET
  schedule_at = excluded.schedule_at, state = excluded.state, imp_uid = excluded.imp_uid,
  payment_status = excluded.payment_status, fail_reason = excluded.fail_reason, executed_at = excluded.executed_at,
  revoked_at = excluded.revoked_at
"""
# A payment that was refunded after its execution is `cancelled` [documented].
READ = """
SELECT s.*, coalesce(p.status, s.payment_status) AS paid_status
FROM schedules s LEFT JOIN payments p ON p.imp_uid = s.imp_uid
"""


def put(ledger: Ledger, schedule: Schedule) -> None:
    """Insert or update a schedule."""
    values = (
        schedule.merchant_uid,
        schedule.customer_uid,
        schedule.schedule_at,
        as_json(dict(schedule.fields)),
        schedule.state.value,
        schedule.imp_uid,
        schedule.payment_status,
        schedule.fail_reason,
        schedule.executed_at,
        schedule.revoked_at,
    )
    ledger.execute(PUT, values)


def find(ledger: Ledger, merchant_uid: str) -> Schedule | None:
    row = ledger.execute(f"{READ} WHERE s.merchant_uid = ?", (merchant_uid,)).fetchone()
    return None if row is None else _schedule(row)


def due(ledger: Ledger, at: int) -> list[Schedule]:
    """Return the due schedules, the oldest first."""
    sql = f"{READ} WHERE s.state = 'scheduled' AND s.schedule_at <= ? ORDER BY s.schedule_at, s.merchant_uid"
    return [_schedule(row) for row in ledger.execute(sql, (at,))]


def page(ledger: Ledger, where: str, values: Sequence[Any], *, order: str, limit: int, offset: int) -> list[Schedule]:
    """Return one page of the schedules that meet a condition."""
    sql = f"{READ} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"
    return [_schedule(row) for row in ledger.execute(sql, (*values, limit, offset))]


def open_ones(ledger: Ledger, customer_uid: str | None, merchant_uids: Sequence[str]) -> list[Schedule]:
    """Return the open schedules: of a key, by their merchant_uids, or both."""
    found = ledger.execute(
        f"{READ} WHERE s.state = 'scheduled' AND (? IS NULL OR s.customer_uid = ?) ORDER BY s.schedule_at",
        (customer_uid, customer_uid),
    )
    schedules = [_schedule(row) for row in found]
    return [each for each in schedules if not merchant_uids or each.merchant_uid in merchant_uids]


def _schedule(row: sqlite3.Row) -> Schedule:
    return Schedule(
        merchant_uid=row["merchant_uid"],
        customer_uid=row["customer_uid"],
        schedule_at=row["schedule_at"],
        fields=json.loads(row["fields"]),
        state=State(row["state"]),
        imp_uid=row["imp_uid"],
        payment_status=row["paid_status"],
        fail_reason=row["fail_reason"],
        executed_at=row["executed_at"],
        revoked_at=row["revoked_at"],
    )
