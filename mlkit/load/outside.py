"""Files and folders from outside that a pipeline names: looked at long before they are read."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from mlkit.core.graph import ancestors
from mlkit.core.pipeline import Stage
from mlkit.core.suggesting import did_you_mean
from mlkit.store.trees import RefusedTreeError, survey

__all__ = ["trouble_with_file", "waits"]

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/{1,3}")
_PATTERN = re.compile(r"[*?\[]")
_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def trouble_with_file(
    text: str, path: Path, *, may_come: bool = False, folder: bool = False
) -> tuple[str, str] | None:
    """Say what keeps a file or folder from being an input, and what to do; None if nothing does.

    Parameters
    ----------
    text : str
        The path as it was written.
    path : Path
        The same, absolute.
    may_come : bool
        Whether something waits for it before it is read.
    folder : bool
        Whether a folder is named: its path ends with a slash.
    """
    if _ADDRESS.match(text):
        return (
            f"'{text}' is an address, and 'file:' takes a path on this machine",
            "Let a stage fetch it and hand it on as an output",
        )
    if "\0" in text:
        return "the path holds a NUL character", "Take it away"
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None if may_come else _missing(text, path, "folder" if folder else "file")
    except OSError as error:
        return f"'{text}' cannot be looked at: {error.strerror}", f"Look at {path}"
    if stat.S_ISDIR(mode) and not folder:
        return f"'{text}' is a folder", f"Write 'file:{text}/' to take all of it, or name one file"
    if folder and not stat.S_ISDIR(mode):
        return f"'{text}' is no folder", f"Write 'file:{text.rstrip('/')}'"
    for is_kind, words in _KINDS:
        if is_kind(mode):
            return (
                f"'{text}' is {words}, which cannot be read a second time",
                "Let a stage read it and hand it on as an output",
            )
    needed, words = (os.R_OK | os.X_OK, "+rx") if folder else (os.R_OK, "+r")
    if not os.access(path, needed, effective_ids=True):
        return f"'{text}' may not be read", f"Its owner can allow it: chmod {words} '{path}'"
    return _trouble_inside(text, path) if folder and not may_come else None


def _trouble_inside(text: str, path: Path) -> tuple[str, str] | None:
    """Of a folder that is there already: what in it a run would refuse when it takes it in."""
    try:
        survey(path)
    except RefusedTreeError as error:
        return (
            f"'{text}' cannot be taken: {error.strerror}",
            "Put a copy in its place, or name the files one by one",
        )
    except OSError as error:
        place = error.filename or path
        return f"'{text}' cannot be read whole: {place}: {error.strerror}", f"Look at {place}"
    return None


def waits(name: str, stages: Mapping[str, Stage]) -> bool:
    """Whether a stage starts only after something has come."""
    graph = {other: [node.stage for node in stage.upstream] for other, stage in stages.items()}
    return any(stages[other].wait_for is not None for other in {name, *ancestors(graph, [name])})


def _missing(text: str, path: Path, kind: str) -> tuple[str, str]:
    if _PATTERN.search(text):
        return (
            f"there is no {kind} '{text}'; 'file:' takes one file or folder, not a pattern",
            "Name each file as an input of its own, or their folder as file:FOLDER/",
        )
    if path.is_symlink():
        return f"'{text}' is a link that leads nowhere", f"It names {path.readlink()}"
    names = _names(path.parent, folders=kind == "folder")
    if names is None:
        return f"there is no {kind} '{text}'", f"There is no folder '{path.parent}'"
    return (
        f"there is no {kind} '{text}'",
        did_you_mean(path.name, names)
        or "The path is relative to pipeline.yaml; what another stage writes is STAGE.OUTPUT",
    )


def _names(folder: Path, *, folders: bool) -> list[str] | None:
    """What stands in a folder and is of the kind that is looked for."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - the names are all that is wanted
    except OSError:
        return None
    return [name for name in names if os.path.isdir(folder / name) == folders]  # noqa: PTH112 - says no of a loop of links
