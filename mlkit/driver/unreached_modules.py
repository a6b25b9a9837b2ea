"""A module of the project that a notebook did not reach, because its way there was relative.

`sys.path.append("../src")` is relative to the working folder. By hand that is the notebook's
folder; in a run it is the attempt's own, where the entry leads nowhere.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from mlkit.core.record import ErrorRecord
from mlkit.frozen import replace

__all__ = ["with_module_found"]

_NAMED = re.compile(r"No module named '([\w.]+)'")
_BELOW = ("", "src", "lib")
"""Where a project keeps its package, seen from its root."""

_PROJECTS = ("pyproject.toml", "setup.py", "setup.cfg")


def with_module_found(
    error: ErrorRecord | None, beside: Path, pipeline_folder: Path
) -> ErrorRecord | None:
    """Add to a failed import where the module stands, and how a stage reaches it.

    Parameters
    ----------
    error : ErrorRecord, optional
        The notebook's error.
    beside : Path
        The notebook's folder.
    pipeline_folder : Path
        The folder of pipeline.yaml.
    """
    named = None if error is None else _NAMED.search(error.message)
    if error is None or named is None or error.type != "ModuleNotFoundError":
        return error
    name = Path(*named[1].split("."))
    for root in _roots(beside, pipeline_folder):
        for place in (root / below for below in _BELOW):
            if place != beside and _holds(place, name):
                message = f"{error.message} ({_remedy(root, place, pipeline_folder)})"
                return replace(error, message=message)
    return error


def _roots(beside: Path, pipeline_folder: Path) -> Iterator[Path]:
    """The folders where the project may begin: from the notebook's up to the pipeline's, or one."""
    yield beside
    for folder in beside.parents:
        yield folder
        if not folder.is_relative_to(pipeline_folder) or folder == pipeline_folder:
            return


def _holds(place: Path, name: Path) -> bool:
    """Whether a folder holds a module, or a package."""
    return (place / name).with_suffix(".py").is_file() or any((place / name).glob("*.py"))


def _remedy(root: Path, place: Path, pipeline_folder: Path) -> str:
    """What to do comes first: a terminal cuts long messages."""
    source = os.path.relpath(place, pipeline_folder)
    is_project = any((root / name).is_file() for name in _PROJECTS)
    project = os.path.relpath(root, pipeline_folder)
    done = (
        f"install the project: pip install -e {shlex.quote(project)}"
        if is_project
        else f"start mlkit with PYTHONPATH={shlex.quote(str(place))}, or put it beside the notebook"
    )
    return (
        f"{done}; it stands in {source}, and a stage works in a folder of its own, from where a "
        "relative entry of sys.path leads nowhere"
    )
