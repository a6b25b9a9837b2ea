"""What is asked of kernels, and what whoever gives them out has to offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from mlkit.core.policies import KernelKind

if TYPE_CHECKING:
    from mlkit.notebook.kernels.manager import LeashedKernelManager

__all__ = ["USUAL_ARGUMENTS", "KernelRequest", "Kernels"]

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
    log : Path
        The kernel's raw stdout and stderr are appended to this file.
    preload_ok : bool
        False asks for a stock kernel, in which nothing was imported beforehand: for a notebook that
        sets environment variables and imports afterwards.
    imports : frozenset of str, optional
        The top-level modules that the notebook imports, if that is known (see `needs_of`): a forked
        kernel then need not wait until the others are imported ahead.
    may_begin_again : bool
        Whether a forked kernel may end and ask for a stock one in its place (see
        `KernelProcess.again`) when the notebook sets an environment variable that something
        imported ahead may have read; otherwise it goes on and says that its result is `unstable`.
    """

    cwd: Path
    env: Mapping[str, str]
    log: Path
    preload_ok: bool = True
    imports: frozenset[str] | None = None
    may_begin_again: bool = False


class Kernels(Protocol):
    """Gives out kernels, one owner for each driver process; its methods are thread-safe."""

    @property
    def kind(self) -> KernelKind:
        """`fork` or `spawn`; a `fork` that is no longer to be had turns into `spawn`."""
        ...

    def manager(self, request: KernelRequest) -> LeashedKernelManager:
        """Make a manager whose kernel is not yet started."""
        ...

    def preload(self, names: Sequence[str]) -> None:
        """Say what to import ahead, where that was not known when the kernels were opened."""
        ...

    def prepare(self, count: int = 1, *, first: Sequence[frozenset[str] | None] = ()) -> None:
        """Get kernels ready ahead of need, where that is cheap; returns at once.

        Parameters
        ----------
        count : int
            How many are kept ready in which everything is imported ahead.
        first : sequence of frozenset of str, or None
            What the first requests will say that they import, in this order: for each of them one
            kernel is made ready besides, as soon as that much is imported.
        """
        ...

    def close(self) -> None:
        """End every kernel that is still alive, and leave nothing behind."""
        ...

    def __enter__(self) -> Self:
        """Return itself."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        ...
