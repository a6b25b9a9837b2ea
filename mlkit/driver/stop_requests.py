"""A run is stopped from outside its process: its user asks by a file, for which its driver looks.

A signal would reach more than the run: `mlkit serve` with its schedule, or the kernel of somebody
whose notebook has started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from mlkit.errors import UsageError
from mlkit.notebook.notebook_runner import Cancellation
from mlkit.store.folder import RunFolder, readable_os_errors

__all__ = ["heeding_requests", "request_stop"]

_LOOKS_EVERY_S = 0.2
_TOLD_BY = "Cancel it there, with Ctrl-C"


@contextlib.contextmanager
def heeding_requests(folder: RunFolder, cancellation: Cancellation) -> Iterator[None]:
    """Say who works on a run, and let that user ask for its end meanwhile.

    Parameters
    ----------
    folder : RunFolder
        The run's, which this process has locked for itself.
    cancellation : Cancellation
        What is asked.
    """
    with readable_os_errors(folder.path):
        folder.stop_request.unlink(missing_ok=True)
        folder.driver.unlink(missing_ok=True)
        facts = {"host": socket.gethostname(), "pid": os.getpid()}
        folder.driver.write_text(json.dumps(facts), encoding="utf-8")
    over = threading.Event()
    looking = threading.Thread(
        target=_look, args=(folder.stop_request, cancellation, over), name="mlkit-stop", daemon=True
    )
    looking.start()
    try:
        yield
    finally:
        over.set()
        looking.join()
        for left in (folder.driver, folder.stop_request):
            with contextlib.suppress(OSError):  # the run has ended, with or without its folder
                left.unlink()


def _look(request: Path, cancellation: Cancellation, over: threading.Event) -> None:
    while not over.wait(_LOOKS_EVERY_S):
        if _is_own(request):
            cancellation.request()
            return


def _is_own(request: Path) -> bool:
    """Whether this user asks; where a group shares a folder, others could write there, too."""
    try:
        return request.lstat().st_uid == os.geteuid()
    except OSError:
        return False


def request_stop(folder: RunFolder) -> None:
    """Ask for the end of a run that goes on in another process of this user, on this machine.

    Parameters
    ----------
    folder : RunFolder
        The run's.

    Raises
    ------
    UsageError
        If it is another user's or another machine's, an engine performs it, or it has ended.
    """
    run_id = folder.path.name
    try:
        driver = json.loads(folder.driver.read_text(encoding="utf-8"))
        owner = folder.driver.stat().st_uid
    except (OSError, ValueError):
        driver, owner = None, os.geteuid()
    if driver is not None and driver["host"] != socket.gethostname():
        raise UsageError(
            f"run {run_id} goes on on another machine ({driver['host']})", remedy=_TOLD_BY
        )
    if not folder.is_alive():
        raise UsageError(f"run {run_id} does not go on any more")
    if driver is None:
        raise UsageError(
            f"run {run_id} is not one process's to stop: the tasks of an engine share it",
            remedy="Cancel it on the engine, or where 'mlkit run --on' was started",
        )
    if owner != os.geteuid():
        raise UsageError(
            f"run {run_id} is another user's",
            remedy=f"Ask {_user(owner)}, who started it",
        )
    with readable_os_errors(folder.path):
        folder.stop_request.touch()


def _user(number: int) -> str:
    import pwd  # for this sentence alone, and a machine may know no such user

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
