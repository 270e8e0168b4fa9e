"""The audit by month, on a real PostgreSQL."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import IntegrityError

from worker.database import migrations
from worker.database.audit_partitions import make_partitions
from worker.database.engine import Sessions

WRITE = text("""
    INSERT INTO audit (at, actor, entity, entity_id, to_status, reason)
    SELECT date_trunc('month', clock_timestamp(), 'UTC') + CAST(later AS interval), 'test', 'charge', 1, 'due', later
    FROM CAST(:later AS text) AS later
""")
PLACES = text("SELECT reason, tableoid::regclass::text AS partition FROM audit ORDER BY id")
MONTH = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC' + interval '{} months', '\"audit_\"YYYY_MM')"
LAST = """
    SELECT format('DROP TABLE %I', to_char(clock_timestamp() AT TIME ZONE 'UTC' + interval '2 months',
                                           '"audit_"YYYY_MM'))
"""


def write(engine: Engine, *moments: str) -> None:
    with engine.begin() as connection:
        for later in moments:
            connection.execute(WRITE, {"later": later})


def places(connection: Connection) -> dict[str, str]:
    return {row.reason: row.partition for row in connection.execute(PLACES)}


def drop_last_month(engine: Engine) -> None:
    """Leave the database as it was a month ago."""
    with engine.begin() as connection:
        connection.exec_driver_sql(str(connection.scalar(text(LAST))))


def test_each_row_goes_to_its_month_and_what_has_none_to_the_default(engine: Engine):
    write(engine, "0 days", "1 month", "-1 second", "1 year")
    with engine.connect() as connection:
        this, following = connection.scalar(text(MONTH.format(0))), connection.scalar(text(MONTH.format(1)))
        assert places(connection) == {
            "0 days": this,
            "1 month": following,
            "-1 second": "audit_default",
            "1 year": "audit_default",
        }


def test_months_ahead_are_made_once(engine: Engine, sessions: Sessions):
    assert make_partitions(sessions).made == 0
    drop_last_month(engine)
    assert make_partitions(sessions).summary() == {"made": 1}
    assert make_partitions(sessions).made == 0


def test_rows_of_a_month_without_a_partition_are_moved_into_it(engine: Engine, sessions: Sessions):
    drop_last_month(engine)
    write(engine, "2 months", "1 year")
    make_partitions(sessions)
    with engine.connect() as connection:
        assert places(connection) == {
            "2 months": connection.scalar(text(MONTH.format(2))),
            "1 year": "audit_default",
        }


@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET reason = ''", "TRUNCATE {}"])
def test_partition_is_append_only_too(engine: Engine, sessions: Sessions, statement: str):
    drop_last_month(engine)
    make_partitions(sessions)
    write(engine, "2 months", "1 year")
    with engine.connect() as connection:
        made = connection.scalar(text(MONTH.format(2)))
    for partition in (made, "audit_default"):
        with pytest.raises(IntegrityError, match="never changed or deleted"), engine.begin() as connection:
            connection.exec_driver_sql(statement.format(partition))


def test_audit_of_before_is_one_partition_and_comes_back_whole(engine: Engine):
    migrations.downgrade(engine, "0025")
    write(engine, "-1 year", "0 days")
    migrations.upgrade(engine)
    write(engine, "1 second", "1 month")
    with engine.connect() as connection:
        following = connection.scalar(text(MONTH.format(1)))
        assert places(connection) == {
            "-1 year": "audit_before",
            "0 days": "audit_before",
            "1 second": "audit_before",
            "1 month": following,
        }
        ids = connection.scalars(text("SELECT id FROM audit ORDER BY id")).all()
        assert len(set(ids)) == 4
    migrations.downgrade(engine, "0025")
    write(engine, "1 day")
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT reason FROM audit ORDER BY id")).all() == [
            *("-1 year", "0 days", "1 second", "1 month", "1 day"),
        ]
