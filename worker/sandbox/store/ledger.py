"""The sandbox's ledger: one SQLite file that outlives the process, kill -9 included.

A write is in the file's log before its call returns. The file belongs to one sandbox at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from worker.sandbox.store.layout import LAYOUTS


class LedgerUnusable(RuntimeError):
    """The ledger cannot be opened; the message names the cause and the remedy."""


class Ledger:
    """An open ledger. `path` is a file, or ":memory:" for one that ends with the object."""

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
        """Return the first column of the first row, or None."""
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
                Path(self._path).touch(mode=0o600)  # it holds every customer_uid; SQLite gives its other files the same
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
        # Exclusive: two sandboxes on one ledger would each know half of the charges.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        # In WAL mode NORMAL loses nothing when the process dies, only when the machine does.
        connection.execute("PRAGMA synchronous = NORMAL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(LAYOUTS):
            raise LedgerUnusable(f"The ledger {path} was made by another version; delete it or name another file.")
        if version < len(LAYOUTS):
            missing = "".join(LAYOUTS[version:])
            connection.executescript(f"BEGIN; {missing} PRAGMA user_version = {len(LAYOUTS)}; COMMIT")
    except sqlite3.OperationalError as error:
        raise LedgerUnusable(f"The ledger {path} is in use by another sandbox, or unusable: {error}.") from error
    except sqlite3.DatabaseError as error:
        raise LedgerUnusable(f"The file {path} is not a ledger; name another file.") from error
