"""Billing keys in the ledger."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from worker.sandbox.rules import stories
from worker.sandbox.rules.answers import as_json
from worker.sandbox.rules.behaviours import Behaviour
from worker.sandbox.rules.billing_keys import BillingKey
from worker.sandbox.rules.providers import Instrument, channel
from worker.sandbox.store.ledger import Ledger

PUT = """
INSERT INTO billing_keys (customer_uid, pg_provider, sandbox, instrument, holder, story, inserted, updated)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (customer_uid) DO UPDATE SET
  pg_provider = excluded.pg_provider, sandbox = excluded.sandbox, instrument = excluded.instrument,
  holder = excluded.holder, story = excluded.story, calls = 0, updated = excluded.updated, deleted_at = NULL
"""


def put(ledger: Ledger, keys: Iterable[BillingKey]) -> None:
    """Make keys, or replace the mapping of existing ones, as issuing again under one customer_uid does [documented]."""
    ledger.execute_many(PUT, (_row(key) for key in keys))


def put_one(ledger: Ledger, key: BillingKey) -> None:
    """Make or replace one key within a transaction that is already open."""
    ledger.execute(PUT, _row(key))


def find(ledger: Ledger, customer_uid: str) -> BillingKey | None:
    """Return the key of a customer_uid; a deleted one is not found."""
    row = ledger.execute(
        "SELECT * FROM billing_keys WHERE customer_uid = ? AND deleted_at IS NULL", (customer_uid,)
    ).fetchone()
    return None if row is None else _key(row)


def everything(ledger: Ledger) -> list[BillingKey]:
    """Return all keys that are not deleted."""
    rows = ledger.execute("SELECT * FROM billing_keys WHERE deleted_at IS NULL ORDER BY customer_uid")
    return [_key(row) for row in rows]


def delete(ledger: Ledger, customer_uid: str, *, at: int) -> None:
    """Delete a key for good; its payments stay."""
    ledger.execute("UPDATE billing_keys SET deleted_at = ? WHERE customer_uid = ?", (at, customer_uid))


def count_call(ledger: Ledger, customer_uid: str) -> tuple[tuple[Behaviour, ...], int]:
    """Use up one call of a key's behaviours; returns them, and how many calls came before."""
    sql = "UPDATE billing_keys SET calls = calls + 1 WHERE customer_uid = ? RETURNING story, calls - 1"
    [(story, calls)] = ledger.execute(sql, (customer_uid,)).fetchall()
    return stories.read(json.loads(story)), calls


def set_story(ledger: Ledger, story: Sequence[Behaviour], customer_uids: Sequence[str] | None) -> int:
    """Start a new story for keys (None: all of them); returns how many there were."""
    values = as_json(stories.written(story))
    sql = "UPDATE billing_keys SET story = ?, calls = 0 WHERE deleted_at IS NULL"
    if customer_uids is None:
        return ledger.execute(sql, (values,)).rowcount
    with ledger.transaction():
        return sum(ledger.execute(f"{sql} AND customer_uid = ?", (values, uid)).rowcount for uid in customer_uids)


def _row(key: BillingKey) -> tuple[Any, ...]:
    return (
        key.customer_uid,
        key.channel.pg_provider,
        key.channel.sandbox,
        key.instrument.value,
        as_json(dict(key.holder)),
        as_json(stories.written(key.story)),
        key.inserted,
        key.updated,
    )


def _key(row: sqlite3.Row) -> BillingKey:
    return BillingKey(
        customer_uid=row["customer_uid"],
        channel=channel(row["pg_provider"], sandbox=bool(row["sandbox"])),
        instrument=Instrument(row["instrument"]),
        story=stories.read(json.loads(row["story"])),
        holder=json.loads(row["holder"]),
        calls=row["calls"],
        inserted=row["inserted"],
        updated=row["updated"],
    )
