"""Whether code that nobody trusts can be walled in here, found out by doing it once."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from queue import Empty
from typing import Final

from mlkit.errors import GradingError
from mlkit.grading.sandbox.limits import Limits
from mlkit.grading.sandbox.seccomp import filter_program
from mlkit.grading.sandbox.walls import Isolation, Surroundings, as_file, environment, trial_command

__all__ = ["Isolation", "Surroundings", "isolation", "why_limited"]

TRIAL: Final = Limits(start_s=30, cell_s=30)


def isolation() -> Isolation:
    """`sandboxed` where bubblewrap is there and works, else `limited`."""
    return "limited" if why_limited() else "sandboxed"


@functools.cache
def why_limited() -> str:
    """Why there is no sandbox here, in a sentence; empty where there is one.

    The walls alone prove little: in a container without some rights they stand, and no kernel
    behind them can be talked to, or watched. So the whole path is tried: a kernel has to answer.
    """
    if shutil.which("bwrap") is None:
        return "bubblewrap (bwrap) is not installed"
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        return "setpriv, which changes to another user inside the sandbox, is not installed"
    return _walls_fail() or _kernel_fails()


def _walls_fail() -> str:
    calls = as_file(filter_program())
    try:
        done = subprocess.run(
            trial_command(calls),
            capture_output=True,
            timeout=30,
            env=environment(),
            pass_fds=(calls,),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not work here ({error})"
    finally:
        os.close(calls)
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        return f"bubblewrap does not work here ({' '.join(last)})"
    return ""


def _kernel_fails() -> str:
    # nbval brings jupyter_client and zmq: half of what `mlkit grade --help` took.
    from mlkit.grading.sandbox.kernel import InmateKernel

    try:
        kernel = InmateKernel(Surroundings(limits=TRIAL), "sandboxed")
    except (GradingError, OSError) as error:
        told = error.message if isinstance(error, GradingError) else str(error)
        return f"bubblewrap starts, but no kernel in it can be used ({told})"
    try:
        kernel.await_reply(kernel.execute_cell_input("1 + 1"))
        if not kernel.is_watched():
            return "bubblewrap starts, but what a kernel in it holds cannot be seen from here"
    except Empty:
        return f"bubblewrap starts, but a kernel in it does not answer ({kernel.reason})"
    finally:
        kernel.stop()
    return ""
