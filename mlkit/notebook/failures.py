"""From what a kernel says, or from its silence, to the record of a failure."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable, Mapping
from typing import Any

from mlkit.core.durations import format_duration
from mlkit.core.record import ErrorRecord
from mlkit.notebook.kernels.kernel_process import UNKNOWN

__all__ = ["dead_kernel", "notebook_error", "plain_text", "stage_timeout", "system_exit"]

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_MAX_TRACEBACK = 20_000


def plain_text(text: str) -> str:
    """Take terminal colours out of a text."""
    return _ANSI.sub("", text)


def notebook_error(
    output: Mapping[str, Any], bases: Iterable[str], cell: int | None
) -> ErrorRecord:
    """Record the exception that a cell raised.

    Parameters
    ----------
    output : mapping
        The cell's error output: ename, evalue, traceback.
    bases : iterable of str
        The class and its bases as the kernel told them; may be empty.
    cell : int, optional
        The cell's index in the source notebook; None for the injected one.
    """
    name = str(output.get("ename") or "Error")  # kernels of shells have no classes to name
    known = tuple(bases)
    matching = known and known[0].rsplit(".", 1)[-1] == name.rsplit(".", 1)[-1]
    text = plain_text("\n".join(map(str, output.get("traceback", ()))))
    return ErrorRecord(
        type=name,
        message=_message(output),
        bases=known if matching else (name,),
        cell=cell,
        traceback=text[-_MAX_TRACEBACK:],
    )


def _message(output: Mapping[str, Any]) -> str:
    text = plain_text(str(output.get("evalue", "")))
    return text if output.get("ename") or not text.isdigit() else f"exit status {text}"


def stage_timeout(timeout_s: float, cell: int | None) -> ErrorRecord:
    """Record that the attempt's deadline passed."""
    where = "" if cell is None else f", in cell {cell + 1}"
    return ErrorRecord(
        type="StageTimeout",
        message=f"the deadline of {format_duration(timeout_s)} passed{where}",
        bases=(
            "mlkit.StageTimeout",
            "builtins.TimeoutError",
            "builtins.OSError",
            "builtins.Exception",
            "builtins.BaseException",
        ),
        cell=cell,
    )


def dead_kernel(status: int | None, cell: int | None) -> ErrorRecord:
    """Record that the kernel's process ended by itself.

    Parameters
    ----------
    status : int, optional
        The exit status; a signal's number negated.
    cell : int, optional
        The cell that was running.
    """
    where = " before its first cell" if cell is None else f" in cell {cell + 1}"
    return ErrorRecord(
        type="DeadKernel",
        message=f"the kernel died{where}: {_death(status)}",
        bases=("mlkit.DeadKernel", "builtins.Exception", "builtins.BaseException"),
        cell=cell,
    )


def _death(status: int | None) -> str:
    if status is None:
        return "it stopped answering"
    if status == UNKNOWN:
        return "its exit status is unknown"
    if status >= 0:
        return f"its process ended with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    hints = {
        "SIGKILL": "killed from outside, often because memory ran out",
        "SIGSEGV": "a segmentation fault in a compiled library",
        "SIGABRT": "a compiled library gave up",
        "SIGTERM": "asked to end from outside",
    }
    return f"{name} ({hints[name]})" if name in hints else name


def system_exit(cell: int | None, value: str = "") -> ErrorRecord:
    """Record that the notebook ended its interpreter, which is a failure whatever the code."""
    return ErrorRecord(
        type="SystemExit",
        message=value or "the notebook ended its own kernel",
        bases=("builtins.SystemExit", "builtins.BaseException"),
        cell=cell,
    )
