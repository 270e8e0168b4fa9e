"""How tables are filled and vacuumed, and that what is updated all the time does not grow."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from worker.database import heartbeats
from worker.database.engine import Sessions

SETTINGS = text("SELECT reloptions FROM pg_class WHERE oid = CAST(:table AS regclass)")
GROWING = ("charges", "attempts", "subscriptions", "events")
BUSY = (
    *("sweeps", "day_totals", "channels", "heartbeats", "database_identity", "last_stopped", "invariant_position"),
    *("event_totals", "call_totals"),
)
VACUUMED_AFTER = text("""
    SELECT CAST(substring(set FROM 'autovacuum_vacuum_threshold=([0-9]+)') AS bigint)
           + CAST(substring(set FROM 'autovacuum_vacuum_scale_factor=([0-9.]+)') AS numeric) * :rows
    FROM pg_class, CAST(reloptions AS text) AS set WHERE oid = CAST(:table AS regclass)
""")


@pytest.mark.parametrize("table", GROWING)
def test_history_of_years_is_vacuumed_within_a_hundredth_of_its_rows(engine: Engine, table: str):
    with engine.connect() as connection:
        assert connection.scalar(VACUUMED_AFTER, {"table": table, "rows": 60_000_000}) <= 1_000_000


@pytest.mark.parametrize("table", BUSY)
def test_tables_of_few_busy_rows_have_room_for_updates_in_place(engine: Engine, table: str):
    with engine.connect() as connection:
        settings = connection.scalar(SETTINGS, {"table": table})
    assert "fillfactor=50" in settings


def test_months_of_the_audit_are_frozen_by_their_first_vacuum(engine: Engine):
    with engine.connect() as connection:
        settings = connection.scalar(SETTINGS, {"table": "audit_default"})
    assert "autovacuum_freeze_min_age=0" in settings


def test_heartbeats_are_updated_in_place_and_their_table_does_not_grow(engine: Engine, sessions: Sessions):
    """PostgreSQL prunes a page by itself once no transaction can see its dead rows: no vacuum is waited for."""
    with sessions.begin() as session:
        now = session.scalars(text("SELECT clock_timestamp()")).one()
    size = "SELECT pg_relation_size('heartbeats') + pg_indexes_size('heartbeats')"
    sizes = []
    for _ in range(2):
        for _ in range(300):
            with sessions.begin() as session:
                heartbeats.beat(session, "again.charge", now=now)
        with engine.connect() as connection:
            sizes.append(connection.scalar(text(size)))
    assert sizes[0] == sizes[1]
