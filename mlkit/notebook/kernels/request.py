"""What is asked of a kernel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mlkit.core.pipeline import Kernel
from mlkit.frozen import dataclass

__all__ = ["USUAL_ARGUMENTS", "KernelRequest"]

USUAL_ARGUMENTS = ("--HistoryManager.hist_file=:memory:",)
"""What nbclient and Papermill pass to every kernel: no history file of the user's is written."""


@dataclass(frozen=True, kw_only=True)
class KernelRequest:
    """One kernel, as the caller wants it.

    Parameters
    ----------
    cwd : Path
        The kernel's working directory.
    env : Mapping of str to str
        The whole environment of the kernel, not an addition to the caller's.
    settings : frozenset of str
        The variables in it that were chosen for this kernel: what was imported ahead has not seen
        them, so that a kernel is stock where something of that may read one.
    log : Path
        The kernel's raw stdout and stderr are appended to this file.
    preload_ok : bool
        False asks for a stock kernel, in which nothing was imported beforehand: for a notebook that
        sets environment variables and imports afterwards.
    imports : frozenset of str, optional
        The top-level modules that the notebook imports, if that is known (see
        `mlkit.notebook.imports`): a forked kernel then need not wait until the others are imported
        ahead.
    may_begin_again : bool
        Whether a forked kernel may end and ask for a stock one in its place (see
        `KernelProcess.again`) when the notebook sets an environment variable that something
        imported ahead may have read; otherwise it goes on and says that its result is `unstable`.
    may_outlive : bool
        Whether it may be kept when its driver has ended, see `keeping`.
    kernel : Kernel, optional
        A Jupyter kernel of another Python, or of another language, which is never forked; by
        default this very interpreter's.
    """

    cwd: Path
    env: Mapping[str, str]
    log: Path
    settings: frozenset[str] = frozenset()
    preload_ok: bool = True
    imports: frozenset[str] | None = None
    may_begin_again: bool = False
    may_outlive: bool = False
    kernel: Kernel | None = None
