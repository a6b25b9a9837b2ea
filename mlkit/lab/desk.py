"""What a stage's source needs in order to run in JupyterLab as it runs in its pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path

from mlkit.core.pipeline import Kernel
from mlkit.core.scrubbing import Scrubber
from mlkit.frozen import dataclass

__all__ = ["Desk"]


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A stage, or one instance of it, that somebody works on.

    Parameters
    ----------
    stage_id : str
        `STAGE` or `STAGE[VALUE]`.
    notebook : Path
        Its source.
    cell : str
        What is injected; a secret's value is not in it. Empty where the stage receives nothing.
    cwd : Path
        Its private working folder.
    outputs : Path
        Where its outputs go, beside the working folder.
    env : mapping of str to str
        The kernel's whole environment; what is secret stands here.
    kernel : Kernel, optional
        The kernel that runs it; by default mlkit's own Python.
    scrubber : Scrubber
        What must not be saved with outputs.
    tidy : callable
        Empties both folders, as an attempt finds them.
    """

    stage_id: str
    notebook: Path
    cell: str
    cwd: Path
    outputs: Path
    env: Mapping[str, str] = field(repr=False)
    kernel: Kernel | None = None
    scrubber: Scrubber = field(default_factory=Scrubber)
    tidy: Callable[[], None]
