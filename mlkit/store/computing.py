"""Who computes what at this moment: of runs that need one result, one makes it and others wait.

The lock is the system's own, so that it is free as soon as its holder is dead, however it died.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from hashlib import sha256
from pathlib import Path

from mlkit.core.values import canonical
from mlkit.frozen import dataclass
from mlkit.store.refusals import readable_os_errors

__all__ = ["Claim", "Computing"]

_MOST_BYTES = 300
"""Room for the id of a run."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to compute one result, until it is given back or this process ends."""

    path: Path
    descriptor: int

    def release(self) -> None:
        """Give it back, and leave nothing in the folder."""
        # Its name goes first: a process that opened the file before then finds that it has none,
        # and looks again; a later one makes a new file.
        self.path.unlink(missing_ok=True)
        os.close(self.descriptor)


class Computing:
    """The results that runs of one runs folder are computing, on this machine.

    Parameters
    ----------
    folder : Path
        Where the locks stand.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, result: tuple[str, str, str], run_id: str) -> Claim | str:
        """Claim a result for a run, or say which run computes it.

        Parameters
        ----------
        result : tuple of str
            Pipeline, stage or instance, and the key of the fingerprint's parts.
        run_id : str
            Who claims it.

        Returns
        -------
        Claim or str
            The claim; otherwise the id of the run that has it, empty in its first instant.
        """
        path = self.folder / f"computing-{sha256(canonical(list(result)).encode()).hexdigest()}"
        with readable_os_errors(self.folder):
            while True:
                taken = _taken(path, run_id)
                if taken is not None:
                    return taken


def _taken(path: Path, run_id: str) -> Claim | str | None:
    """Try once; None where the file was another one by the time that it was locked."""
    descriptor, is_writable = _opened(path)
    with contextlib.ExitStack() as held:
        held.callback(os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.pread(descriptor, _MOST_BYTES, 0).decode(errors="replace")
        if not _is_at(path, descriptor):
            return None
        if not is_writable:  # what a dead run of another user has left
            path.unlink()
            return None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, run_id.encode(), 0)
        held.pop_all()
    return Claim(path=path, descriptor=descriptor)


def _opened(path: Path) -> tuple[int, bool]:
    """Open the file, and say whether it can be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), True
    except PermissionError:
        if not path.exists():
            raise
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC), False


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether a path still means the file that is open."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
