"""Start the kernels' helpers before the pipeline is read, where something is sure to run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlkit.driver.surroundings import kernel_environment
from mlkit.notebook.source import SUFFIXES

if TYPE_CHECKING:  # a run that reuses everything needs none of them
    from mlkit.notebook.kernels import Kernels

__all__ = ["KernelsAhead", "is_sure_to_run", "kernels_ahead"]

SOURCES = (*SUFFIXES, ".yaml", ".yml")


@dataclass(kw_only=True)
class KernelsAhead:
    """Kernels that were opened early, for the run that is going to need them.

    Parameters
    ----------
    kernels : Kernels
        Opened; what to import ahead they have still to be told.
    environment : mapping of str to str
        In which they were opened.
    said : list of str
        What they had to say.
    taken : bool
        Whether somebody else closes them.
    """

    kernels: Kernels
    environment: Mapping[str, str]
    said: list[str] = field(default_factory=list)
    taken: bool = False

    def take(self, environment: Mapping[str, str]) -> Kernels | None:
        """Hand the kernels over, with the duty to close them; None if they do not fit."""
        if self.taken or environment != self.environment:
            return None
        self.taken = True
        return self.kernels


@contextlib.contextmanager
def kernels_ahead(*, warm: bool = False) -> Iterator[KernelsAhead]:
    """Open kernels for a run in this process; they are closed here if nobody takes them.

    Parameters
    ----------
    warm : bool
        Whether what forks them may be what an earlier run has left, and may stay for others.
    """
    from mlkit.notebook.kernels import open_kernels  # see above

    said: list[str] = []
    environment = kernel_environment(os.environ)
    kernels = open_kernels("fork", preload=None, env=environment, say=said.append, warm=warm)
    ahead = KernelsAhead(kernels=kernels, environment=environment, said=said)
    try:
        yield ahead
    finally:
        if not ahead.taken:
            kernels.close()


def is_sure_to_run(folder: Path, runs_dir: Path) -> bool:
    """Whether a run will hardly find everything done: it is the first, or something was edited.

    Parameters
    ----------
    folder : Path
        The pipeline's.
    runs_dir : Path
        The runs folder.
    """
    try:
        last = (runs_dir / "mlkit.db").stat().st_mtime
        return any(
            entry.stat().st_mtime > last
            for entry in os.scandir(folder)
            if entry.name.endswith(SOURCES)
        )
    except OSError:  # no such database; what is wrong with the folder will be said later
        return True
