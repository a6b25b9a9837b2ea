"""How a SQLite file is opened, to write or only to look, and what its errors mean."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from mlkit.errors import RunsFolderError
from mlkit.store.refusals import room_remedy, write_remedy

__all__ = [
    "BUSY_TIMEOUT_S",
    "MEMORY",
    "open_to_look",
    "open_to_read",
    "open_to_write",
    "readable",
    "readable_sqlite_errors",
    "transaction",
    "user_version",
]

MEMORY = Path(":memory:")
"""The path of a database that is nowhere."""

BUSY_TIMEOUT_S = 60.0
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


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open a SQLite file, or make it; transactions are begun and ended by hand."""
    if path != MEMORY and not path.exists():
        # SQLite would make it 0644 whatever the umask says; what it makes beside it, it makes alike
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666))
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)


def open_to_look(path: Path, version: int) -> sqlite3.Connection:
    """Open a file so that nothing changes; what is not there, or older, is looked at in memory.

    Parameters
    ----------
    path : Path
        The file.
    version : int
        The `user_version` that the reader knows.
    """
    if not path.exists():
        return open_to_write(MEMORY)
    connection = open_to_read(path)
    if user_version(connection) >= version:
        return connection
    with contextlib.closing(connection):
        return _in_memory(connection)


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a SQLite file to read it, by the first way that is open; nothing is written.

    A user who may write the folder reads beside the runs that write there. Where others run
    something in a folder that may not be written, SQLite reads along. A file that nobody has open
    is whole in itself; one whose last writer was killed is put together from a copy.
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
    import tempfile  # seldom needed, and not imported otherwise by a run that reuses everything

    with tempfile.TemporaryDirectory(prefix="mlkit-look-") as folder:
        for file in (path, log):
            shutil.copyfile(file, Path(folder) / file.name)
        with contextlib.closing(sqlite3.connect(Path(folder) / path.name)) as copy:
            return _in_memory(copy)


def _in_memory(source: sqlite3.Connection) -> sqlite3.Connection:
    memory = sqlite3.connect(MEMORY, isolation_level=None)
    source.backup(memory)
    return memory


def user_version(connection: sqlite3.Connection) -> int:
    """The number that a program keeps in its SQLite files for itself; 0 in a new one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Change all or nothing; others wait who want to change something meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def readable_sqlite_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite says into a `RunsFolderError` with the real cause and what helps."""
    try:
        yield
    except sqlite3.Error as error:
        raise readable(error, path) from error


def readable(error: sqlite3.Error, path: Path) -> RunsFolderError:
    """What SQLite says, with the real cause and what helps."""
    fact, remedy = _reading(error, path)
    return RunsFolderError(
        f"the database of the runs folder cannot be used: {fact}", path, remedy=remedy
    )


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
