"""How much real statements read: each is explained as it is run, in the state and with the settings it meets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, event, text

EXPLAINED = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")

SCANS = frozenset({"Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Tid Scan", "Sample Scan"})
"""Nodes that read a table. What they have read is handed on, and counted once."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one statement has read: rows of tables, those that a filter removed included, and pages."""

    statement: str
    rows: int
    pages: int

    def __str__(self) -> str:
        return f"{self.rows} rows, {self.pages} pages: {self.statement}"


@contextmanager
def readings(connection: Connection) -> Iterator[list[Reading]]:
    """Collect what every statement of a connection reads while it runs; each is run twice, once for its plan."""
    collected: list[Reading] = []

    def explain(_: Connection, cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if EXPLAINED.match(statement):
            collected.append(_explained(cursor.connection, statement, parameters))

    event.listen(connection, "before_cursor_execute", explain)
    try:
        yield collected
    finally:
        event.remove(connection, "before_cursor_execute", explain)


def _explained(raw: Any, statement: str, parameters: Any) -> Reading:
    with raw.cursor() as cursor:
        cursor.execute("SAVEPOINT explained")
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {statement}", parameters or None)
        (said,) = cursor.fetchone()
        cursor.execute("ROLLBACK TO SAVEPOINT explained")
    plan = (json.loads(said) if isinstance(said, str) else said)[0]["Plan"]
    pages = plan.get("Shared Hit Blocks", 0) + plan.get("Shared Read Blocks", 0)
    return Reading(" ".join(statement.split()), round(_rows(plan)), pages)


def _rows(node: Mapping[str, Any]) -> float:
    own = 0.0
    if node["Node Type"] in SCANS:
        removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        own = (node["Actual Rows"] + removed) * node["Actual Loops"]
    return own + sum(_rows(each) for each in node.get("Plans", ()))


# --- what the planner believes --------------------------------------------------------------------------------------

_SAID = """
    UPDATE pg_class SET {what}
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i') AND {of}
"""
_SPOILED = _SAID.format(what="{what}", of="reltuples > 0")
_COUNTED = "VACUUM (DISABLE_PAGE_SKIPPING) {tables}"

# As autovacuum leaves queues that it has met empty. It says nothing of what is in columns, and counts what it reads.
_IN_ALL_ITS_PAGES = _SAID.format(what="relpages = pg_relation_size(oid) / 8192", of="reltuples = {rows}")
_WHAT_GROWS = _COUNTED.format(tables="charges, attempts, subscriptions")

WRONG = {
    "a hundred times as many": [_SPOILED.format(what="reltuples = reltuples * 100")],
    "one row": [_SPOILED.format(what="relpages = 1, reltuples = 1")],
    "one row, but of what grows": [_WHAT_GROWS, _IN_ALL_ITS_PAGES.format(rows=1)],
    "no row": [
        _SPOILED.format(what="relpages = 0, reltuples = 0"),
        """
        DELETE FROM pg_statistic WHERE starelid IN (
            SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
        """,
    ],
    "no row, but of what grows": [_WHAT_GROWS, _IN_ALL_ITS_PAGES.format(rows=0)],
    "all rows, and not what is in them": [_COUNTED.format(tables="")],
}
"""What the planner may believe in error, of rows and columns: as after all but all was deleted, or not yet there.

Each adds to what is said before it. A vacuum in between leaves a mixture: it counts the rows of what has changed, and
what is known of columns stays as it was, or unknown.
"""


def believe(connection: Connection, wrong: str) -> None:
    """Let the planner believe something of WRONG; the connection commits by itself, as a vacuum has to."""
    for statement in WRONG[wrong]:
        connection.execute(text(statement))
