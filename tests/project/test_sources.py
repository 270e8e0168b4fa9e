"""The ledger is the only writer of charges and attempts, and SQL has its places: read from the source."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import sql_sources

ROOT = Path(__file__).parents[2]
PRODUCT = sorted(path for folder in ("worker", "schedules") for path in (ROOT / folder).rglob("*.py"))

MIGRATIONS = "worker/database/migrations/"
LEDGER = "worker/ledger/"
SANDBOX = "worker/sandbox/"
"""PortOne's part in tests and trials: it has a store of its own, and no access to ours."""

OF_NO_TABLE = {
    "worker/devstack/servers.py": "makes the embedded database, before it has a table",
    "worker/doctor/servers.py": "asks the server itself for its version, its clock and whether it takes writes",
}
"""The files with SQL that is about no table of ours, and why they have it."""


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def may_hold_sql(name: str) -> bool:
    rooms = (LEDGER, "worker/database/", SANDBOX)
    return name.startswith(rooms) or name.endswith("queries.py") or name in OF_NO_TABLE


# --- the project ----------------------------------------------------------------------------------------------------


def test_only_the_ledger_writes_charges_and_attempts():
    found = [
        f"{shown(path)}:{each}"
        for path in PRODUCT
        if not shown(path).startswith((LEDGER, MIGRATIONS, SANDBOX))
        for each in sql_sources.money_writes(path.read_text())
    ]
    assert found == [], "a charge or an attempt changes in a transition of worker/ledger/, which names what it expects"


def test_sql_stands_in_the_ledger_the_database_and_query_files():
    found = [
        f"{shown(path)}:{each}"
        for path in PRODUCT
        if not may_hold_sql(shown(path))
        for each in sql_sources.statements(path.read_text())
    ]
    assert found == [], "put it into a queries.py of its room"


def test_files_with_sql_of_no_table_are_all_needed():
    assert [name for name in OF_NO_TABLE if not sql_sources.statements((ROOT / name).read_text())] == []


def test_one_statement_makes_a_charge_void():
    found = [
        shown(path)
        for path in PRODUCT
        if not shown(path).startswith(MIGRATIONS)
        for _, text in sql_sources.strings(path.read_text())
        if "UPDATE charges" in text and "status = 'void'" in text
    ]
    assert found == ["worker/ledger/voiding.py"]


def test_ledger_is_seen_to_write_charges_and_attempts():
    writers = {path.name for path in PRODUCT if sql_sources.money_writes(path.read_text())}
    assert {"new_charges.py", "claiming.py", "write_back.py", "voiding.py", "waking.py"} <= writers


# --- the checkers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ("A = text(\"UPDATE charges SET status = 'void'\")", True),
        ('A = text("""\n    WITH v AS (SELECT 1)\n    insert into  attempts (id) VALUES (1)\n""")', True),
        ('A = f"UPDATE {table} SET x = 1"', True),
        ('A = "UPDATE " + table + " SET x = 1"', True),
        ('A = "DELETE " "FROM charges"', True),
        ('A = f"DELETE FROM public.charges WHERE {condition}"', True),
        ('A = f"{B} UPDATE attempts SET lookups = 0"', True),
        ('A = "SELECT * FROM charges FOR UPDATE OF charges"', False),
        ('A = "UPDATE charges_of_old SET x = 1"', False),
        ('"""UPDATE charges: what the ledger does."""', False),
        ("from worker.database.tables.charges import Charge\nsession.add(Charge(id=1))", True),
        ("from worker.database.tables.charges import Attempt as Row\nA = insert(Row).values(id=1)", True),
        ("from worker.database.tables import charges\nA = update(charges.Attempt).values(id=1)", True),
        ("import worker.database.tables.charges as t\nA = sa.delete(t.Charge)", True),
        ("from worker.database.tables.charges import Charge\nA = Charge.__table__.update()", True),
        ("from worker.database.tables.charges import Charge\nA = select(Charge.id)", False),
        ("from worker.database.tables.billing import BillingKey\nA = insert(BillingKey)", False),
        ("from worker.domain.attempt import Attempt\nA = Attempt(id=1)", False),
    ],
)
def test_write_of_a_charge_or_an_attempt_is_found(source: str, is_found: bool):
    assert bool(sql_sources.money_writes(source)) is is_found


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ('A = text("SELECT 1 FROM plans")', True),
        ('A = """\n    WITH x AS (SELECT 1) SELECT * FROM x\n"""', True),
        ('A = f"UPDATE {name} SET x = 1"', True),
        ('A = "INSERT INTO plans VALUES (1)"', True),
        ('A = "CREATE DATABASE again"', True),
        ('A = "SHOW server_version"', True),
        ('A = "Show the version."', False),
        ('A = "Select a plan, or update it."', False),
        ('A = "UPDATE the plan"', False),
        ('"""SELECT is what it does."""', False),
    ],
)
def test_sql_statement_is_found(source: str, is_found: bool):
    assert bool(sql_sources.statements(source)) is is_found


def test_migrations_follow_one_another_each_with_a_number_of_its_own():
    names = sorted(path.name for path in (ROOT / MIGRATIONS / "versions").glob("[0-9]*.py"))
    assert names
    assert [name[:4] for name in names] == [f"{number:04}" for number in range(1, len(names) + 1)]
