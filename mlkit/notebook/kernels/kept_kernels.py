"""The kernels of this user that are kept: where they are told of, which live, and how they end.

Each has a folder of its own in the user's runtime folder: what it is, a lock that its keeper holds,
and the connection file. A folder whose lock nobody holds belongs to a kernel that has ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mlkit.core.kept_kernel import KeptKernel
from mlkit.notebook.kernels.own_folder import own_folder
from mlkit.notebook.kernels.warden import sweep

__all__ = ["FACTS", "LOCK", "at_hand", "kept_kernels", "kept_place", "stop_kernels"]

FACTS, LOCK = "kept.json", "lock"
_NAME = "mlkit-kernels"
STOP_S = 10.0
"""How long a keeper's warden is given to end what the kernel has started."""


def kept_place() -> Path:
    """The folder, which need not be there, that tells of this user's kept kernels.

    It stands where Jupyter keeps its own connection files. Importing what knows that place takes a
    tenth of a second, which every run would pay.
    """
    environ, home = os.environ, Path.home()
    if runtime := environ.get("JUPYTER_RUNTIME_DIR"):
        return Path(runtime) / _NAME
    usual = (
        home / "Library/Jupyter"
        if sys.platform == "darwin"
        else Path(environ.get("XDG_DATA_HOME") or home / ".local/share") / "jupyter"
    )
    return Path(environ.get("JUPYTER_DATA_DIR") or usual) / "runtime" / _NAME


@contextlib.contextmanager
def at_hand(place: Path) -> Iterator[None]:
    """Let nobody else keep a kernel meanwhile: there are only so many of them."""
    with (place / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def kept_kernels(place: Path | None = None) -> tuple[KeptKernel, ...]:
    """Give the kernels of this user that are kept now, the oldest first.

    What dead ones have left behind is removed.

    Parameters
    ----------
    place : Path, optional
        The folder that tells of them; by default this user's.

    Raises
    ------
    UsageError
        If the folder is not this user's own.
    """
    place = kept_place() if place is None else place
    if not place.is_dir():
        return ()
    own_folder(place)
    found = []
    for folder in place.iterdir():
        kept = _read(folder)
        if kept is not None:
            found.append(kept)
    return tuple(sorted(found, key=lambda each: (each.began, each.id)))


def _read(folder: Path) -> KeptKernel | None:
    """What stands in a folder, if its kernel is kept; a folder that is just being made is none."""
    try:
        document = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        kept = KeptKernel.from_json(document)
    except (OSError, ValueError, KeyError):
        return None
    if _is_held(folder):
        return kept
    sweep(kept.token)  # its keeper is gone, and its warden, too, if that does not do the same now
    for left in (kept.sockets, kept.folder, folder):
        shutil.rmtree(left, ignore_errors=True)
    return None


def _is_held(folder: Path) -> bool:
    try:
        with (folder / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def stop_kernels(
    which: Callable[[KeptKernel], bool] = lambda _: True,
    place: Path | None = None,
    *,
    patience_s: float = STOP_S,
) -> tuple[KeptKernel, ...]:
    """End kept kernels with all they have started; returns when they are gone.

    Parameters
    ----------
    which : callable
        Whether a kernel is to end.
    place : Path, optional
        As for `kept_kernels`.
    patience_s : float
        How long to wait until they are gone.
    """
    place = kept_place() if place is None else place
    chosen = tuple(kept for kept in kept_kernels(place) if which(kept))
    for kept in chosen:
        if _is_held(place / kept.id):  # as long as the lock is held, the number is the keeper's
            with contextlib.suppress(ProcessLookupError):
                os.kill(kept.keeper, signal.SIGTERM)
    deadline = time.monotonic() + patience_s
    for kept in chosen:
        while (place / kept.id).exists() and time.monotonic() < deadline:
            time.sleep(0.01)
    return chosen
