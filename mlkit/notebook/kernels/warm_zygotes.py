"""The zygotes of this user that wait for the next run: which there are, and how they are ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlkit.notebook.kernels.mlkit_zygote import messages
from mlkit.notebook.kernels.mlkit_zygote.door import peer_of, take_lock
from mlkit.notebook.kernels.own_folder import own_folder
from mlkit.notebook.kernels.warm_terms import warm_place

__all__ = ["MOST", "WarmZygote", "make_room", "stop_warm_zygotes", "warm_zygotes"]

MOST = 3
"""How many of one user wait at a time."""

ANSWER_S = 5.0
"""How long one is given to say that it ends; after that it is killed."""


@dataclass(frozen=True, kw_only=True)
class WarmZygote:
    """A zygote with a door.

    Parameters
    ----------
    stem : Path
        Its socket, lock and facts, without the suffix.
    pid : int
        Its process.
    until : float, optional
        When it ends if no run comes, in seconds since 1970; None while a run uses it.
    """

    stem: Path
    pid: int
    until: float | None


def warm_zygotes(env: Mapping[str, str] | None = None) -> tuple[WarmZygote, ...]:
    """Give the zygotes of this user that outlive their runs; what dead ones left is removed.

    Parameters
    ----------
    env : mapping of str to str, optional
        The environment, which may name the user's runtime folder; by default this process's.

    Raises
    ------
    UsageError
        If the folder is not this user's own.
    """
    place = warm_place(os.environ if env is None else env)
    if not place.is_dir():
        return ()
    own_folder(place, "no zygote outlives its run", "XDG_RUNTIME_DIR")
    found = []
    for lock in sorted(place.glob("*.lock")):
        stem = lock.with_suffix("")
        if _is_dead(lock):
            continue
        with contextlib.suppress(OSError, ValueError, KeyError):  # it is just opening or closing
            told = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
            found.append(WarmZygote(stem=stem, pid=int(told["pid"]), until=told["until"]))
    _remove_folders_of_dead(place)
    return tuple(found)


def stop_warm_zygotes(
    which: Callable[[WarmZygote], bool] = lambda _: True, env: Mapping[str, str] | None = None
) -> tuple[WarmZygote, ...]:
    """End zygotes that wait; one that a run uses lets nobody else in, and ends with that run.

    Parameters
    ----------
    which : callable
        Which of them.
    env : mapping of str to str, optional
        See `warm_zygotes`.

    Returns
    -------
    tuple of WarmZygote
        Those that were told to end; those that waited have ended.
    """
    chosen = tuple(filter(which, warm_zygotes(env)))
    for each in chosen:
        _stop(each)
    return chosen


def make_room(env: Mapping[str, str] | None = None) -> None:
    """End those that have waited longest, if there are too many.

    Parameters
    ----------
    env : mapping of str to str, optional
        See `warm_zygotes`.
    """
    found = warm_zygotes(env)
    waiting = sorted((each for each in found if each.until is not None), key=_until)
    for each in waiting[: max(0, len(found) - MOST)]:
        _stop(each)


def _until(zygote: WarmZygote) -> float:
    return zygote.until or 0.0


def _stop(zygote: WarmZygote) -> None:
    """Tell it to end; wait for its end if nobody uses it, and kill it if it does not answer."""
    with contextlib.suppress(ProcessLookupError):
        process = os.pidfd_open(zygote.pid)
        try:
            answer = _ask(zygote)
            if answer is None or (not answer["visitors"] and not _ends(process)):
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(process, signal.SIGKILL)
                _ends(process)
        finally:
            os.close(process)


def _ask(zygote: WarmZygote) -> dict[str, int] | None:
    """Its answer to the request to end; None if it gives none."""
    with socket.socket(socket.AF_UNIX) as link, contextlib.suppress(OSError):
        link.settimeout(ANSWER_S)
        link.connect(str(zygote.stem.with_suffix(".sock")))
        if peer_of(link)[1] == os.geteuid():
            messages.send(link, {"stop": True})
            answer = messages.receive(link)
            return None if answer is None else answer[0]
    return None


def _ends(process: int) -> bool:
    ear = select.poll()
    ear.register(process, select.POLLIN)
    return bool(ear.poll(ANSWER_S * 1000))


def _is_dead(lock: Path) -> bool:
    """Whether nobody holds a lock; what its holder has left is removed then."""
    try:
        mine = take_lock(str(lock))
    except OSError:
        return True
    if mine is None:
        return not lock.exists()
    for suffix in (".sock", ".json", ".part", ".lock"):
        lock.with_suffix(suffix).unlink(missing_ok=True)
    os.close(mine)
    return True


def _remove_folders_of_dead(place: Path) -> None:
    """Remove the working folders of zygotes that were killed."""
    for folder in place.glob("z-*"):
        with contextlib.suppress(OSError, ValueError):
            pid = int((folder / "pid").read_text("utf-8"))
            if not Path("/proc", str(pid)).is_dir():
                shutil.rmtree(folder, ignore_errors=True)
