"""Files at a glance and to the last byte: marks, digests, and copies in pieces."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from mlkit.core.interrupting import checkpoint
from mlkit.frozen import dataclass

__all__ = [
    "NO_LINKS",
    "READ_ONLY",
    "Marks",
    "chunks",
    "copy_file",
    "copy_read_only",
    "digest_file",
    "made_own",
    "marks_of",
    "same_time",
]

READ_ONLY = 0o444
NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
"""What a file system without links (exFAT, many of those of networks) answers to one."""
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What tells at a glance that a file is unchanged: size, modification time and inode.

    Those of a folder are folded out of those of its files; see `mlkit.store.trees`.
    """

    size_bytes: int
    mtime_ns: int
    inode: int

    def looks_like(self, other: Marks) -> bool:
        """Whether size and time are equal; a copy is another inode."""
        return (self.size_bytes, self.mtime_ns) == (other.size_bytes, other.mtime_ns)


def marks_of(path: Path | str) -> Marks | None:
    """The marks of a file; None if there is none."""
    try:
        stat = os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return Marks(size_bytes=stat.st_size, mtime_ns=stat.st_mtime_ns, inode=stat.st_ino)


def digest_file(path: Path) -> str:
    """The sha256 of a file's bytes, as hexadecimal digits; the file is streamed."""
    total = sha256()
    for chunk in chunks(path):
        total.update(chunk)
    return total.hexdigest()


def copy_file(source: Path, target: Path) -> None:
    """Copy a file's bytes in pieces; Ctrl-C is heard between them."""
    with target.open("wb") as file:
        for chunk in chunks(source):
            file.write(chunk)


def made_own(path: Path) -> None:
    """Replace a link, symbolic or hard, by a file of its own with the same bytes."""
    aside = path.with_name(f".{path.name}.part")
    copy_file(path, aside)
    aside.replace(path)


def copy_read_only(source: str, target: str) -> None:
    """Make a new read-only file that has another one's bytes and times.

    Ten thousand copies take half as long with paths as text and the system's own calls.
    """
    given = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        stat = os.fstat(given)
        made = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, READ_ONLY)
        try:
            while chunk := os.read(given, _CHUNK_BYTES):
                checkpoint()
                _write(made, chunk)
            os.fchmod(made, READ_ONLY)
            os.utime(made, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        finally:
            os.close(made)
    finally:
        os.close(given)


def _write(descriptor: int, data: bytes) -> None:
    """Write all of some bytes; one call may write less than it was given."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def same_time(source: Path, target: Path) -> None:
    """Give a file another one's times."""
    stat = source.stat()
    os.utime(target, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file in pieces; Ctrl-C is heard between them."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            checkpoint()
            yield chunk
