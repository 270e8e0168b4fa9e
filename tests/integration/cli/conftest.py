"""The real command line against a real PostgreSQL: each test has a database of its own, named by its environment."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from tests.support.pricing import GIVE_ITEMS
from worker.cli.commands import app
from worker.database.engine import create_database_engine
from worker.devstack.addresses import Postgres

MINUTE = timedelta(minutes=1)

SHORTLY_SECONDS = 45.0
"""Many times what a test here takes."""
NOBODY = "http://127.0.0.1:1"
"""Stands for the sandbox where a test brings none: whatever else runs on this machine is not asked."""


@dataclass
class Ended:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What it printed with --json; fails unless that is one document and nothing else was said."""
        assert self.err == ""
        return json.loads(self.out)

    @property
    def said(self) -> str:
        """Everything, on one line: rich breaks lines where the terminal ends."""
        return " ".join((self.out + self.err).split())


Again = Callable[..., Ended]


def _commands(ends: int = 0, **defaults: str) -> Again:
    """Give a function that runs a command in this process; settings by keyword, `code` is how it must end."""

    def run(*arguments: object, code: int = ends, stdin: str | None = None, **settings: str) -> Ended:
        environment = {
            name.upper(): value
            for name, value in ({"columns": "200", "again_sandbox_url": NOBODY} | defaults | settings).items()
        }
        result = CliRunner().invoke(app, [str(each) for each in arguments], env=environment, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return Ended(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def again(database_url: str) -> Again:
    """Run commands on a migrated database of this test's own."""
    return _commands(again_database_url=database_url)


@pytest.fixture
def again_without_database() -> Again:
    """Run commands that get no database from us."""
    return _commands()


@pytest.fixture(autouse=True)
def _within_one_hour() -> None:
    """Begin no test where an hour is about to end: commands say what is due by the real clock."""
    left = 3600 - time.time() % 3600
    if left < SHORTLY_SECONDS:
        time.sleep(left)


class Tables:
    """Rows that commands meet: what ticks, pumps and reconciliation would have left."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.now = datetime.now(UTC).replace(microsecond=0)

    def sql(self, statement: str, **values: Any) -> list[Any]:
        with self._engine.begin() as connection:
            result = connection.execute(text(statement), values)
            return list(result) if result.returns_rows else []

    @property
    def url(self) -> str:
        return self._engine.url.set(drivername="postgresql").render_as_string(hide_password=False)

    def everything(self) -> list[Any]:
        """Say how many rows each table has, and how far the audit has come."""
        tables = ("plans", "billing_keys", "subscriptions", "charges", "attempts", "stops", "audit")
        return [self.count(table) for table in tables]

    def count(self, table: str) -> int:
        return int(self.sql(f"SELECT count(*) FROM {table}")[0][0])

    def charge(self, subscription: str, status: str = "due", *, months_ago: int = 0, **columns: Any) -> int:
        """Open a charge; `due` and `past_due` ones are due now unless said otherwise."""
        declines = int(status in {"past_due", "uncollectible"})
        values = {
            "amount": 9900,
            "tax_free": 0,
            "currency": "KRW",
            "order_name": "Gold",
            "status": status,
            "status_reason": "so it is",
            "status_at": self.now - MINUTE,
            "created_at": self.now,
            "next_attempt_at": self.now - MINUTE if status in {"due", "past_due"} else None,
            "paid_at": self.now if status == "paid" else None,
            "declines": declines,
            "first_declined_at": self.now - MINUTE if declines else None,
            "period_start": self.now - timedelta(days=30 * months_ago + 1),
            "period_end": self.now - timedelta(days=30 * months_ago - 29),
        } | columns
        names = ", ".join(values)
        (row,) = self.sql(
            f"INSERT INTO charges (subscription_id, {names}) SELECT id, {', '.join(f':{name}' for name in values)} "
            "FROM subscriptions WHERE code = :code RETURNING id",
            code=subscription,
            **values,
        )
        self.sql(GIVE_ITEMS)
        return int(row.id)

    def discrepancy(self, merchant_uid: str, status: str = "open", **columns: Any) -> None:
        """Record a discrepancy between PortOne and our records."""
        values = {"found_at": self.now} | columns
        self.sql(
            "INSERT INTO discrepancies (kind, status, status_at, merchant_uid, evidence, found_at, seen_at) "
            "VALUES ('not_in_records', :status, :found_at, :merchant_uid, '{}', :found_at, :found_at)",
            status=status,
            merchant_uid=merchant_uid,
            **values,
        )

    def sweep(self, reason: str, *, holds: bool = False, finished: bool = False, **counts: int) -> None:
        """Insert a sweep of the last hour, started a minute ago; finished just now, or half way."""
        counts = {"payments": 0, "not_ours": 0, "repaired": 0, "found": 0} | counts
        self.sql(
            "INSERT INTO sweeps (reason, holds_claims, since, until, position, started_at, lease_until, finished_at, "
            "payments, not_ours, repaired, found) VALUES (:reason, :holds, :since, :until, :position, :started_at, "
            ":until, :finished_at, :payments, :not_ours, :repaired, :found)",
            reason=reason,
            holds=holds,
            since=self.now - 60 * MINUTE,
            until=self.now,
            position=self.now if finished else self.now - 30 * MINUTE,
            started_at=self.now - MINUTE,
            finished_at=self.now if finished else None,
            **counts,
        )

    def attempt(self, charge: int, status: str = "started", **columns: Any) -> str:
        """Make an attempt of a charge, and return its merchant_uid."""
        merchant_uid = f"again{charge:07d}{columns.get('number', 1):03d}"
        values = {
            "number": 1,
            "merchant_uid": merchant_uid,
            "status": status,
            "status_reason": "timeout" if status == "unknown" else status,
            "status_at": self.now,
            "sends": 1,
            "started_at": self.now - MINUTE,
            "lease_until": self.now + MINUTE,
            "settled_at": None if status in {"started", "unknown"} else self.now,
            "imp_uid": "imps_123456789012" if status == "paid" else None,
            "decline_kind": "soft" if status == "declined" else None,
            "next_lookup_at": self.now + MINUTE if status == "unknown" else None,
        } | columns
        self.sql(
            f"INSERT INTO attempts (charge_id, billing_key_id, {', '.join(values)}) "
            f"SELECT c.id, s.billing_key_id, {', '.join(f':{name}' for name in values)} "
            "FROM charges c JOIN subscriptions s ON s.id = c.subscription_id WHERE c.id = :charge",
            charge=charge,
            **values,
        )
        return merchant_uid

    def statuses(self, table: str) -> list[str]:
        return [row.status for row in self.sql(f"SELECT status FROM {table} ORDER BY id")]


@pytest.fixture
def tables(engine: Engine) -> Tables:
    return Tables(engine)


@pytest.fixture(scope="module")
def unchanged(postgres: Postgres) -> Iterator[Tables]:
    """One database for a whole table of refusals: it has a plan `gold` and billing key 1, and stays as it is."""
    admin, name = postgres.url.replace("/again?", "/postgres?"), f"test_{uuid4().hex}"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE again")
        url = postgres.url.replace("/again?", f"/{name}?")
        engine = create_database_engine(url, actor="test")
        again = _commands(again_database_url=url, again_max_amount="9000000")
        again("plan", "add", "gold", "--name", "Gold", "--amount", 9900, "--cadence", "month")
        again("plan", "add", "dear", "--name", "Dear", "--amount", 2_000_001, "--cadence", "year")
        again("key", "add", "customer_uid_of_gildong", "--pg", "kakaopay")
        yield Tables(engine)
        engine.dispose()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def refused(unchanged: Tables) -> Iterator[Again]:
    """Run commands that are refused: they end with 1, and every table is afterwards as it was before."""
    before = unchanged.everything()
    yield _commands(1, again_database_url=unchanged.url)
    assert unchanged.everything() == before


@pytest.fixture
def gold(again: Again) -> str:
    """A monthly plan."""
    again("plan", "add", "gold", "--name", "골드 멤버십", "--amount", 9900, "--cadence", "month")
    return "gold"


@pytest.fixture
def key(again: Again) -> int:
    """A Kakao Pay key."""
    return int(again("key", "add", "customer_uid_of_gildong", "--pg", "kakaopay", "--json").document["id"])


@pytest.fixture
def subscription(again: Again, gold: str, key: int) -> str:
    """The code of a running subscription whose first period begins tomorrow."""
    tomorrow = date.fromisoformat(str(datetime.now(UTC).date())) + timedelta(days=1)
    return str(
        again("subscribe", "gildong", "--plan", gold, "--key", key, "--start", tomorrow, "--json").document["code"]
    )
