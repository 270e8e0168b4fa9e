"""The sandbox's ledger: one SQLite file that outlives the process, kill -9 included.

A write is in the file's log before the call that made it returns. The file belongs to one sandbox at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LAYOUT_VERSION = 1

# `charged` and `refunded` are the money that really moved, in KRW: they judge, whatever the document says.
LAYOUT = """
CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE billing_keys (
  customer_uid TEXT PRIMARY KEY,
  pg_provider TEXT NOT NULL,
  sandbox INTEGER NOT NULL,
  instrument TEXT NOT NULL,
  holder TEXT NOT NULL,
  story TEXT NOT NULL,
  calls INTEGER NOT NULL DEFAULT 0,
  inserted INTEGER NOT NULL,
  updated INTEGER NOT NULL,
  deleted_at INTEGER
) WITHOUT ROWID;

CREATE TABLE payments (
  number INTEGER PRIMARY KEY,
  imp_uid TEXT NOT NULL UNIQUE,
  merchant_uid TEXT NOT NULL,
  customer_uid TEXT NOT NULL,
  status TEXT NOT NULL,
  amount INTEGER NOT NULL,
  charged INTEGER NOT NULL,
  refunded INTEGER NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND charged),
  started_at INTEGER NOT NULL,
  paid_at INTEGER NOT NULL,
  failed_at INTEGER NOT NULL,
  cancelled_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  visible_at REAL NOT NULL,
  document TEXT NOT NULL
);
CREATE INDEX payments_by_merchant_uid ON payments (merchant_uid);
CREATE INDEX payments_by_customer_uid ON payments (customer_uid);
CREATE INDEX payments_by_start ON payments (started_at);

CREATE TABLE requests (
  number INTEGER PRIMARY KEY,
  received_at REAL NOT NULL,
  endpoint TEXT NOT NULL,
  merchant_uid TEXT,
  customer_uid TEXT,
  result TEXT
);
"""
TABLES = ("state", "billing_keys", "payments", "requests")


class LedgerUnusable(RuntimeError):
    """The ledger cannot be opened; the message says why and what to do."""


class Ledger:
    """An open ledger. `path` is a file, or ":memory:" for one that is gone with the object."""

    def __init__(self, path: Path | str) -> None:
        self._path = str(path)
        self._connection = self._opened()

    def close(self) -> None:
        self._connection.close()

    def execute(self, sql: str, values: Iterable[Any] = ()) -> sqlite3.Cursor:
        """Run one statement; a write is committed at once unless inside `transaction()`."""
        return self._connection.execute(sql, tuple(values))

    def execute_many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run a statement for many rows in one transaction."""
        with self.transaction():
            self._connection.executemany(sql, rows)

    def value(self, sql: str, values: Iterable[Any] = ()) -> Any:
        """Read the first column of the first row, or None."""
        row = self.execute(sql, values).fetchone()
        return None if row is None else row[0]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything inside at once, or nothing of it."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def read_state(self, name: str) -> str | None:
        value: str | None = self.value("SELECT value FROM state WHERE name = ?", (name,))
        return value

    def write_state(self, name: str, value: str) -> None:
        self.execute("INSERT OR REPLACE INTO state (name, value) VALUES (?, ?)", (name, value))

    def _opened(self) -> sqlite3.Connection:
        try:
            if self._path != ":memory:":
                Path(self._path).parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=1.0, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise LedgerUnusable(f"The ledger {self._path} cannot be opened: {error}.") from error
        try:
            _prepare(connection, self._path)
        except BaseException:
            connection.close()
            raise
        return connection


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    try:
        connection.row_factory = sqlite3.Row
        # Exclusive: two sandboxes on one ledger would both be right about half of the charges.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        # In WAL mode NORMAL loses nothing when the process dies, only when the machine does.
        connection.execute("PRAGMA synchronous = NORMAL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            connection.executescript(f"BEGIN; {LAYOUT} PRAGMA user_version = {LAYOUT_VERSION}; COMMIT")
        elif version != LAYOUT_VERSION:
            raise LedgerUnusable(f"The ledger {path} was made by another version; delete it or name another file.")
    except sqlite3.OperationalError as error:
        raise LedgerUnusable(f"The ledger {path} is in use by another sandbox, or unusable: {error}.") from error
    except sqlite3.DatabaseError as error:
        raise LedgerUnusable(f"The file {path} is not a ledger; name another file.") from error
