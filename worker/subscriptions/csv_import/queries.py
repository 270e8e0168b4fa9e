"""Imports in bulk: rows are copied into a staging table, compared there, and written by two INSERTs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.engine import without_values
from worker.database.tables.billing import look_alike
from worker.ledger.terms import SOLD_VERSION

_STAGE = text("""
    CREATE TEMPORARY TABLE import_rows (
        line bigint, code text, customer_reference text, plan_id bigint, customer_uid text, pg text, channel_key text,
        label text, status text, anchor_on date, next_charge_at timestamptz
    ) ON COMMIT DROP
""")

_COPY = "COPY import_rows FROM STDIN"

# Rows that contradict an earlier row of the file, or the database.
_CONFLICTS = text(f"""
    WITH compared AS (
        SELECT r.*,
               min(line) OVER (PARTITION BY plan_id, customer_reference) AS same_line,
               {look_alike("customer_reference")} AS look,
               min(line) OVER (PARTITION BY plan_id, {look_alike("customer_reference")}) AS look_line,
               min(line) OVER (PARTITION BY plan_id, customer_uid) AS payer_line,
               first_value(line) OVER same_key AS key_line,
               first_value(pg) OVER same_key AS key_pg,
               first_value(channel_key) OVER same_key AS key_channel
        FROM import_rows r
        WINDOW same_key AS (PARTITION BY customer_uid ORDER BY line)
    ), conflicts AS (
        SELECT line, 'customer_reference' AS column_name, customer_reference AS value,
               format('a customer that line %s does not have for the same plan already', same_line) AS expected
        FROM compared WHERE line > same_line
        UNION ALL
        SELECT line, 'pg', pg, format('%s, as line %s has it for the same customer_uid', key_pg, key_line)
        FROM compared WHERE pg <> key_pg
        UNION ALL
        SELECT line, 'channel_key', channel_key, format('the same as in line %s, which has this customer_uid', key_line)
        FROM compared WHERE channel_key IS DISTINCT FROM key_channel
        UNION ALL
        SELECT r.line, 'customer_reference', r.customer_reference,
               format('a customer without a running subscription to this plan; %s is running', s.code)
        FROM import_rows r JOIN subscriptions s ON s.plan_id = r.plan_id AND s.customer_reference = r.customer_reference
        WHERE s.status NOT IN ('canceled', 'ended')
        UNION ALL
        SELECT r.line, 'pg', r.pg, format('%s, as billing key %s has it', k.pg, k.id)
        FROM import_rows r JOIN billing_keys k USING (customer_uid) WHERE k.pg <> r.pg
        UNION ALL
        SELECT r.line, 'channel_key', r.channel_key, format('the channel key of billing key %s, or nothing', k.id)
        FROM import_rows r JOIN billing_keys k USING (customer_uid)
        WHERE r.channel_key IS NOT NULL AND r.channel_key IS DISTINCT FROM k.channel_key
        UNION ALL
        SELECT r.line, 'customer_uid', r.customer_uid,
               format('an active billing key; key %s is %s', k.id, k.status)
        FROM import_rows r JOIN billing_keys k USING (customer_uid) WHERE k.status <> 'active'
        UNION ALL
        SELECT line, 'customer_reference', customer_reference,
               format('a reference that differs from that of line %s in more than case, width or spaces, for the same '
                      'plan, unless --allow-duplicates is given', look_line)
        FROM compared WHERE :duplicates AND line > look_line AND line = same_line
        UNION ALL
        SELECT r.line, 'customer_reference', r.customer_reference,
               format('a reference that differs from that of %s, which is running, in more than case, width or spaces, '
                      'unless --allow-duplicates is given', s.code)
        FROM compared r
        JOIN subscriptions s ON s.plan_id = r.plan_id AND {look_alike("s.customer_reference")} = r.look
        WHERE :duplicates AND s.status NOT IN ('canceled', 'ended') AND s.customer_reference <> r.customer_reference
        UNION ALL
        SELECT line, 'customer_uid', customer_uid,
               format('another than in line %s for the same plan, or that customer is charged twice, unless '
                      '--allow-duplicates is given', payer_line)
        FROM compared WHERE :duplicates AND line > payer_line AND line = same_line
        UNION ALL
        SELECT r.line, 'customer_uid', r.customer_uid,
               format('another than that of %s, which is running, for the same plan, or that customer is charged '
                      'twice, unless --allow-duplicates is given', s.code)
        FROM import_rows r JOIN billing_keys k USING (customer_uid)
        JOIN subscriptions s ON s.billing_key_id = k.id AND s.plan_id = r.plan_id
        WHERE :duplicates AND s.status NOT IN ('canceled', 'ended') AND s.customer_reference <> r.customer_reference
    )
    SELECT line, column_name, value, expected, count(*) OVER () AS total
    FROM conflicts ORDER BY line, column_name LIMIT :limit
""")  # noqa: S608 - constants only

_ADD_KEYS = text("""
    INSERT INTO billing_keys (customer_uid, pg, channel_key, label, status, status_reason, status_at, created_at)
    SELECT DISTINCT ON (customer_uid) customer_uid, pg, channel_key, label, 'active', 'imported', :now, :now
    FROM import_rows ORDER BY customer_uid, label = '', line
    ON CONFLICT (customer_uid) DO NOTHING
    RETURNING id
""")

_ADD_SUBSCRIPTIONS = text(f"""
    WITH added AS (
        INSERT INTO subscriptions (code, customer_reference, plan_id, billing_key_id, status, status_reason, status_at,
                                   anchor_on, next_charge_at, created_at, price_version)
        SELECT r.code, r.customer_reference, r.plan_id, k.id, r.status, 'imported', :now, r.anchor_on,
               r.next_charge_at, :now, {SOLD_VERSION.format(plan="r.plan_id")}
        FROM import_rows r JOIN billing_keys k USING (customer_uid)
        WHERE k.pg = r.pg AND k.status = 'active'
        ORDER BY r.line
        ON CONFLICT (plan_id, customer_reference) WHERE status NOT IN ('canceled', 'ended') DO NOTHING
        RETURNING next_charge_at
    )
    SELECT count(*) AS added, count(*) FILTER (WHERE next_charge_at <= :now) AS due_now,
           min(next_charge_at) AS first_charge_at
    FROM added
""")  # noqa: S608 - constants only


_PGS = text("SELECT pg, count(*) AS rows FROM import_rows GROUP BY pg ORDER BY pg")

_OF_KEYS = text("SELECT line FROM import_rows WHERE customer_uid = ANY(:uids) ORDER BY line")


def pgs(session: Session) -> dict[str, int]:
    """Count the staged rows of each PG."""
    return {row.pg: row.rows for row in session.execute(_PGS)}


def lines_of_keys(session: Session, customer_uids: Sequence[str]) -> Sequence[int]:
    """Return the lines of the staged rows with one of these keys."""
    return session.scalars(_OF_KEYS, {"uids": list(customer_uids)}).all() if customer_uids else []


@dataclass(frozen=True, slots=True)
class Conflict:
    """A staged row that contradicts an earlier one, or the database."""

    line: int
    column_name: str
    value: str | None = field(repr=False)  # it may be a customer_uid
    expected: str
    total: int  # how many there are


@dataclass(frozen=True, slots=True)
class Added:
    """What was written. `first_charge_at` is None when nothing was."""

    subscriptions: int
    keys: int
    due_now: int
    first_charge_at: datetime | None


def stage(session: Session, rows: Iterable[Sequence[Any]]) -> int:
    """Copy rows into the staging table as they come, and say how many; the table ends with the transaction."""
    session.execute(_STAGE)
    connection: Any = session.connection().connection.driver_connection
    count = 0
    try:
        with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for row in rows:
                copy.write_row(row)
                count += 1
    except psycopg.Error as error:
        without_values(error)
        raise
    session.execute(text("ANALYZE import_rows"))
    return count


def conflicts(session: Session, *, duplicates: bool, limit: int) -> Sequence[Conflict]:
    """Return the first staged rows that contradict an earlier one or the database; each says how many do.

    With `duplicates`, also those that look like one customer on one plan twice.
    """
    found = session.execute(_CONFLICTS, {"duplicates": duplicates, "limit": limit})
    return [Conflict(**row._mapping) for row in found]  # noqa: SLF001 - public


def write(session: Session, *, now: datetime) -> Added:
    """Add the keys that are new and all subscriptions. Fewer than staged means that someone came in between."""
    keys = len(session.execute(_ADD_KEYS, {"now": now}).all())
    row = session.execute(_ADD_SUBSCRIPTIONS, {"now": now}).one()
    return Added(row.added, keys, row.due_now, row.first_charge_at)
