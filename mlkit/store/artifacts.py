"""Artifacts by the sha256 digest of their bytes: written once, read-only, verified before reuse.

Each artifact has two files. The *master* stands in the store under its digest, and nothing but the
store ever opens it. The *copy* stands in the folder of the run that made it, and further runs link
to it; stages read copies only, so a stage that writes to its input damages a copy, which is made
good from the master.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from mlkit.core.interrupting import checkpoint

__all__ = ["ArtifactStore", "Marks", "copy_file", "digest_file", "marks_of"]

_CHUNK_BYTES = 1 << 20
_SYNC_CHUNKS = 64
"""Bytes go to the disk after so many chunks: one sync of a large file could take a minute, and
nothing is heard meanwhile."""
_READ_ONLY = 0o444
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What tells at a glance that a file is unchanged: size, modification time and inode."""

    size_bytes: int
    mtime_ns: int
    inode: int

    def looks_like(self, other: Marks) -> bool:
        """Whether size and time are equal; a copy is another inode."""
        return (self.size_bytes, self.mtime_ns) == (other.size_bytes, other.mtime_ns)


def marks_of(path: Path) -> Marks | None:
    """The marks of a regular file; None if there is none."""
    try:
        stat = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return Marks(size_bytes=stat.st_size, mtime_ns=stat.st_mtime_ns, inode=stat.st_ino)


def digest_file(path: Path) -> str:
    """The sha256 of a file's bytes, as hexadecimal digits; the file is streamed."""
    total = sha256()
    for chunk in _chunks(path):
        total.update(chunk)
    return total.hexdigest()


def copy_file(source: Path, target: Path) -> None:
    """Copy a file's bytes in pieces; Ctrl-C is heard between them."""
    with target.open("wb") as file:
        for chunk in _chunks(source):
            file.write(chunk)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            checkpoint()
            yield chunk


class ArtifactStore:
    """The folder `store/` of a runs folder.

    Parameters
    ----------
    path : Path
        The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def master(self, digest: str) -> Path:
        """Where an artifact's master stands."""
        return self.path / digest[:2] / digest[2:]

    def readable(self, digest: str) -> Path:
        """The master of an artifact, for those who read it without changing anything."""
        return self.master(digest)

    def share(self, digests: Iterable[str], *, deep: bool = False) -> None:
        """Send artifacts to other machines; this store is for one machine alone."""

    def take(self, file: Path) -> tuple[str, Marks]:
        """Keep a file's bytes under their digest; the file itself becomes a read-only copy.

        Returns
        -------
        digest : str
            The artifact's identity.
        marks : Marks
            The master's marks, to be recorded.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        aside = self.path / f".part-{secrets.token_hex(8)}"
        total = sha256()
        try:
            with aside.open("xb") as target:
                for number, chunk in enumerate(_chunks(file), start=1):
                    total.update(chunk)
                    target.write(chunk)
                    if number % _SYNC_CHUNKS == 0:
                        os.fdatasync(target.fileno())
                target.flush()
                os.fdatasync(target.fileno())
            aside.chmod(_READ_ONLY)
            _same_time(file, aside)
            digest = total.hexdigest()
            self._publish(aside, digest)
        finally:
            aside.unlink(missing_ok=True)
        file.chmod(_READ_ONLY)
        _same_time(self.master(digest), file)
        marks = marks_of(self.master(digest))
        assert marks is not None
        return digest, marks

    def _publish(self, aside: Path, digest: str) -> None:
        """Give a complete file its name; one that is there already and whole stays."""
        master = self.master(digest)
        master.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(aside, master)
        except FileExistsError:
            if digest_file(master) != digest:
                aside.replace(master)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            aside.replace(master)

    def is_whole(self, digest: str, recorded: Marks | None, *, deep: bool) -> bool:
        """Whether an artifact's master is there and unchanged.

        Parameters
        ----------
        digest : str
            The artifact.
        recorded : Marks, optional
            The marks recorded for it; where they match, the bytes are not read.
        deep : bool
            Read the bytes in any case.
        """
        master = self.master(digest)
        now = marks_of(master)
        if now is None or not master.is_file():
            return False
        if not deep and now == recorded:
            return True
        return digest_file(master) == digest

    def place(self, digest: str, to: Path, sibling: Path | None = None) -> None:
        """Put a copy of an artifact somewhere, in one step.

        Parameters
        ----------
        digest : str
            The artifact.
        to : Path
            The new file; its folder exists.
        sibling : Path, optional
            A copy known to be unchanged, to be linked to; otherwise the master is copied.
        """
        aside = to.with_name(f".part-{secrets.token_hex(8)}")
        try:
            if sibling is None or not _link(sibling, aside):
                copy_file(self.master(digest), aside)
                aside.chmod(_READ_ONLY)
                _same_time(self.master(digest), aside)
            aside.replace(to)
        finally:
            aside.unlink(missing_ok=True)

    def restore(self, digest: str, copy: Path) -> None:
        """Make a damaged copy good, in place: all its links are the same file.

        The copy gets the master's modification time.
        """
        master = self.master(digest)
        if copy.is_symlink() or not copy.is_file():
            if copy.is_dir() and not copy.is_symlink():
                shutil.rmtree(copy)
            copy.unlink(missing_ok=True)
            copy.parent.mkdir(parents=True, exist_ok=True)
            self.place(digest, copy)
            return
        try:
            copy.chmod(0o644)
        except PermissionError:
            self.place(digest, copy)  # another user's: only its owner can write into it
            return
        with copy.open("r+b") as target:
            for chunk in _chunks(master):
                target.write(chunk)
            target.truncate()
        copy.chmod(_READ_ONLY)
        _same_time(master, copy)

    def is_copy_whole(self, digest: str, copy: Path, *, deep: bool = False) -> bool:
        """Whether a copy holds the artifact's bytes; by size and time where they match."""
        now, master = marks_of(copy), marks_of(self.master(digest))
        if now is None or copy.is_symlink() or not copy.is_file():
            return False
        if not deep and master is not None and now.looks_like(master):
            return True
        return digest_file(copy) == digest

    def drop(self, digest: str) -> None:
        """Take a damaged or unreferenced artifact out of the store."""
        self.master(digest).unlink(missing_ok=True)

    def digests(self) -> Iterator[str]:
        """Every artifact in the store."""
        if not self.path.is_dir():
            return
        for folder in sorted(self.path.iterdir()):
            if len(folder.name) == 2 and folder.is_dir():
                for file in sorted(folder.iterdir()):
                    yield folder.name + file.name

    def sweep(self) -> None:
        """Remove what writers that died left unfinished."""
        for leftover in self.path.glob(".part-*"):
            leftover.unlink(missing_ok=True)


def _same_time(source: Path, target: Path) -> None:
    stat = source.stat()
    os.utime(target, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _link(sibling: Path, to: Path) -> bool:
    try:
        os.link(sibling, to)
    except OSError:
        return False
    return True
