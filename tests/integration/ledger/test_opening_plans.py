"""What opening charges reads is bounded by its chunk, whatever the statistics of the tables say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from tests.integration.conftest import NOW, open_all
from tests.support.book import Book
from worker.charging import open_due
from worker.database.engine import Sessions

CHUNK = 20
DUE = 2000

FILL = """
    WITH keys AS (
        INSERT INTO billing_keys (customer_uid, pg, label, status, status_at, created_at)
        SELECT 'uid-' || n, 'kakaopay', '', 'active', :now, :now FROM generate_series(1, :due) n RETURNING id
    )
    INSERT INTO subscriptions (code, customer_reference, plan_id, billing_key_id, status, status_at, anchor_on,
                               next_charge_at, created_at)
    SELECT lpad(keys.id::text, 13, '0'), 'customer ' || keys.id, plans.id, keys.id, 'active', :now, '2026-01-05',
           CAST(:next_charge_at AS timestamptz) + keys.id * interval '1 second', :now
    FROM keys, plans
"""

STATISTICS = {
    "never gathered": (),
    "gathered when nothing was due": ("ANALYZE",),
    "a hundred times too many": ("ANALYZE", "UPDATE pg_class SET reltuples = reltuples * 100 WHERE reltuples > 0"),
}


@pytest.mark.parametrize("statistics", STATISTICS)
def test_no_statement_reads_beyond_its_chunk(
    statistics: str, book: Book, sessions: Sessions, engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(open_due, "CHUNK", CHUNK)
    book.plan("monthly", now=NOW)
    with sessions.begin() as session:
        for table in ("subscriptions", "billing_keys", "plans", "charges"):
            session.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = off)"))
        session.execute(text(FILL), {"now": NOW, "due": DUE, "next_charge_at": NOW + timedelta(days=30)})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in STATISTICS[statistics]:
            connection.execute(text(statement))
    with sessions.begin() as session:  # as a month's end: all at one instant
        session.execute(text("UPDATE subscriptions SET next_charge_at = :at"), {"at": NOW - timedelta(hours=2)})
    read: list[float] = []

    @event.listens_for(engine, "before_cursor_execute")
    def explain(connection: Any, _: Any, statement: str, parameters: Any, *__: Any) -> None:
        if "subscriptions" in statement or "charges" in statement:
            with connection.connection.driver_connection.cursor() as cursor:
                cursor.execute("SAVEPOINT explained")
                cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
                ((((plan,),),),) = (cursor.fetchall(),)
                cursor.execute("ROLLBACK TO explained")
            read.append(max(_rows_read(plan["Plan"])))

    assert open_all(sessions).opened == DUE
    assert len(read) > DUE / CHUNK
    assert max(read) <= 2 * CHUNK


def _rows_read(node: dict[str, Any]) -> Iterator[float]:
    """Yield for each node of a plan how many rows went through it, those included that it has thrown away."""
    removed = sum(rows for name, rows in node.items() if name.startswith("Rows Removed"))
    yield (node["Actual Rows"] + removed) * node["Actual Loops"]
    for child in node.get("Plans", ()):
        yield from _rows_read(child)
