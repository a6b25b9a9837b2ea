"""End a process and everything that it started, and know when all of it is gone."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from mlkit.ml.stage_errors import ServingError

__all__ = ["end_group", "is_alive"]

_POLL_S = 0.02
_ENDED_STATES = ("Z", "X")


def _states(group: int) -> list[str]:
    """The states of a process group's members, as Linux tells them; elsewhere empty."""
    states = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _parent, its_group, *_ = (
                file.read_text("utf-8", "replace").rpartition(")")[2].split()
            )
            if int(its_group) == group:
                states.append(state)
    return states


def is_alive(group: int) -> bool:
    """Whether a member of a process group runs; one that only waits to be reaped does not.

    Parameters
    ----------
    group : int
        The group's id, which is the process id of its first member.
    """
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    states = _states(group)
    return not states or any(state not in _ENDED_STATES for state in states)


def _has_ended(leader: subprocess.Popen[bytes], wait_s: float) -> bool:
    """Wait until no process of the leader's group is left; False if the time is up before."""
    deadline = time.monotonic() + wait_s
    while is_alive(leader.pid):
        leader.poll()
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    leader.poll()
    return True


def end_group(leader: subprocess.Popen[bytes], wait_s: float) -> None:
    """End a process group, politely at first, and return when all of it is gone.

    Parameters
    ----------
    leader : Popen
        A process that was started with `start_new_session=True`.
    wait_s : float
        For how long to wait after each of the two signals, in seconds.

    Raises
    ------
    ServingError
        Something of the group is still there.
    """
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader.pid, signal_number)
        if _has_ended(leader, wait_s):
            return
    raise ServingError(f"the process group {leader.pid} could not be ended")
