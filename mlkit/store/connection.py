"""The connection to a runs folder's database: transactions, versions, readable errors."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlkit.errors import RunsFolderError
from mlkit.store.refusals import readable_os_errors, room_remedy, write_remedy
from mlkit.store.rows import SCHEMA, SCHEMA_VERSION

__all__ = ["MEMORY", "Connection", "open_to_read"]

MEMORY = Path(":memory:")
"""The path of a database that is nowhere."""

_BUSY_TIMEOUT_S = 60.0
_LOOKING_TIMEOUT_S = 5.0
_NO_WAY = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_PERM,
    }
)
"""What SQLite says where it cannot write beside the file; another way of reading may be open."""


class Connection:
    """The file `mlkit.db`; one object for each thread.

    Every change of state is one transaction.

    Parameters
    ----------
    path : Path
        The file; made if it is not there.
    only_looks : bool
        Read what is there, and write nothing: neither into the file nor beside it.
    """

    def __init__(self, path: Path, *, only_looks: bool = False) -> None:
        self.path = path
        self.is_new = False
        with readable_os_errors(path.parent), _readable_errors(path):
            self._connection = _open_to_look(path) if only_looks else _open(path)
            self._connection.row_factory = sqlite3.Row
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self) -> None:
        version = _version(self._connection)
        if version == SCHEMA_VERSION:
            self._connection.execute("PRAGMA synchronous=NORMAL")
            return
        if version > SCHEMA_VERSION:
            raise RunsFolderError(
                "this runs folder was written by a newer mlkit",
                self.path,
                remedy="Update mlkit, or choose another folder with --runs-dir",
            )
        self.is_new = version == 0
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


def _open(path: Path) -> sqlite3.Connection:
    if path != MEMORY and not path.exists():
        # SQLite would make it 0644 whatever the umask says; what it makes beside it, it makes alike
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666))
    return sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)


def _open_to_look(path: Path) -> sqlite3.Connection:
    """Open a file so that nothing changes; what is not there, or older, is looked at in memory."""
    if not path.exists():
        return _open(MEMORY)
    connection = open_to_read(path)
    if _version(connection) >= SCHEMA_VERSION:
        return connection
    with contextlib.closing(connection):
        return _in_memory(connection)


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a SQLite file to read it, by the first way that is open; nothing is written.

    Whoever may write the folder reads beside the runs that write there. Where others run something
    in a folder that may not be written, SQLite reads along. A file that nobody has open is whole in
    itself; one whose last writer was killed is put together from a copy.
    """
    at = path.absolute().as_uri()
    usual = f"{at}?mode=rw" if os.access(path.parent, os.W_OK, effective_ids=True) else ""
    refusal: sqlite3.Error | None = None
    for address in filter(None, (usual, f"{at}?mode=ro")):
        try:
            return _probed(sqlite3.connect(address, uri=True, timeout=_LOOKING_TIMEOUT_S))
        except sqlite3.Error as error:
            if _code(error) not in _NO_WAY:
                raise
            refusal = refusal or error
    log = path.with_name(f"{path.name}-wal")
    try:
        if log.exists() and log.stat().st_size > 0:
            return _copied(path, log)
        return _probed(sqlite3.connect(f"{at}?immutable=1", uri=True))
    except OSError as error:
        raise error from refusal


def _probed(connection: sqlite3.Connection) -> sqlite3.Connection:
    """See that a connection can read, and that it never writes."""
    try:
        connection.isolation_level = None
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        connection.execute("PRAGMA query_only=1")
    except BaseException:
        connection.close()
        raise
    return connection


def _copied(path: Path, log: Path) -> sqlite3.Connection:
    with tempfile.TemporaryDirectory(prefix="mlkit-look-") as folder:
        for file in (path, log):
            shutil.copyfile(file, Path(folder) / file.name)
        with contextlib.closing(sqlite3.connect(Path(folder) / path.name)) as copy:
            return _in_memory(copy)


def _in_memory(source: sqlite3.Connection) -> sqlite3.Connection:
    memory = sqlite3.connect(MEMORY, isolation_level=None)
    source.backup(memory)
    return memory


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextlib.contextmanager
def _readable_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        fact, remedy = _reading(error, path)
        raise RunsFolderError(
            f"the database of the runs folder cannot be used: {fact}", path, remedy=remedy
        ) from error


def _reading(error: sqlite3.Error, path: Path) -> tuple[str, str]:
    """The real cause of what SQLite says, and what helps against that."""
    code = _code(error)
    said = str(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"another program keeps it locked ({said})", (
            f"Try again when it has ended; 'fuser {path}' or 'lsof {path}' says which one it is"
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return f"the file is damaged ({said})", (
            f"Move it away: mv '{path}' '{path}.damaged'. The runs are then read again from their "
            "own records, and each stage runs once more"
        )
    if code == sqlite3.SQLITE_FULL:
        return f"no space is left for it ({said})", room_remedy()
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        if path.is_dir():
            return "a folder stands in its place", "Move it away"
        return f"it may not be written ({said})", write_remedy(path)
    if code == sqlite3.SQLITE_IOERR:
        # A full disk is the usual cause: SQLite says so only of the database's own pages.
        return f"the disk refuses ({said})", f"See that it has room and answers. {room_remedy()}"
    return said, "Choose another folder with --runs-dir; please report this"


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary code of an error; 0 of one that Python's module raises itself."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
