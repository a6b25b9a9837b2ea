"""The connection to a runs folder's database: transactions, versions, readable errors."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlkit.errors import RunsFolderError
from mlkit.store.folder import readable_os_errors
from mlkit.store.rows import SCHEMA, SCHEMA_VERSION

__all__ = ["Connection"]

_BUSY_TIMEOUT_S = 60.0


class Connection:
    """The file `mlkit.db`; one object for each thread.

    Every change of state is one transaction.

    Parameters
    ----------
    path : Path
        The file; made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with readable_os_errors(path.parent), _readable_errors(path):
            self._connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
            self._prepare()

    def _prepare(self) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version == SCHEMA_VERSION:
            self._connection.execute("PRAGMA synchronous=NORMAL")
            return
        if version > SCHEMA_VERSION:
            raise RunsFolderError(
                "this runs folder was written by a newer mlkit",
                self.path,
                remedy="Update mlkit, or choose another folder with --runs-dir",
            )
        self._journal_ahead()
        self._connection.execute("PRAGMA synchronous=NORMAL")
        with self._transaction():
            for statement in SCHEMA:
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def _journal_ahead(self) -> None:
        """Switch to write-ahead logging; SQLite does not wait where another process does so too."""
        deadline = time.monotonic() + _BUSY_TIMEOUT_S
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with _readable_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _put(self, table: str, row: Mapping[str, Any]) -> int:
        """Write one row; one with the same key is replaced."""
        columns = ", ".join(row)
        marks = ", ".join("?" * len(row))
        cursor = self._connection.execute(
            f"INSERT OR REPLACE INTO {table}({columns}) VALUES ({marks})", tuple(row.values())
        )
        return cursor.lastrowid or 0

    def _query(self, sql: str, values: tuple[Any, ...]) -> list[sqlite3.Row]:
        with _readable_errors(self.path):
            return self._connection.execute(sql, values).fetchall()


@contextlib.contextmanager
def _readable_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise RunsFolderError(
            f"the database of the runs folder cannot be used: {error}",
            path,
            remedy="See that the disk has room and the folder can be written, "
            "or choose another with --runs-dir",
        ) from error
