"""How an engine runs exported files: what it is told, and the command that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path

from mlkit.frozen import dataclass

__all__ = ["Launch", "Launcher", "Order"]


@dataclass(frozen=True, kw_only=True)
class Order:
    """One run that an engine shall do.

    Parameters
    ----------
    python : Path
        The Python of the engine's environment.
    folder : Path
        Where the exported files stand; the engine's own files may go there, too.
    entry : str
        The exported file that the engine is given.
    pipeline : str
        The pipeline's name.
    run_id : str
        The id under which the tasks join the run.
    host : str, optional
        The address of a server that shall run it; by default this machine does.
    """

    python: Path
    folder: Path
    entry: str
    pipeline: str
    run_id: str
    host: str | None = None


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A command that runs an engine until the run has ended.

    Parameters
    ----------
    command : tuple of str
        Program and arguments.
    environment : mapping of str to str
        What is added to the environment.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


Launcher = Callable[[Order], Launch]
"""Makes the engine ready (it may write into the order's folder) and says what to start."""
