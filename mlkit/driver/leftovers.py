"""What a notebook left in its working folder, and what it looked for there in vain.

The folder is the attempt's own and goes when it has ended. A file that no output declares goes with
it, and a relative path does not find what stands beside the notebook: both are told.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from mlkit.core.outputs import Output
from mlkit.core.record import ErrorRecord

__all__ = ["dropped", "explained", "sentence"]

_BY_PRODUCTS = frozenset({"__pycache__", "catboost_info"})
"""What libraries write for themselves."""

_MOST_SHOWN = 5
_MOST_FILES = 10_000
_QUOTED = re.compile(r"""['"`]+([^'"`\n]{1,300}?)['"`]+""")
_NOT_FOUND = re.compile(r"no such file|not found|does(?: not|n't) exist|cannot open", re.IGNORECASE)


def dropped(working: Path, out: Path, outputs: Mapping[str, Output]) -> tuple[str, ...]:
    """Name the files that will go, since no output declares them; a folder's together.

    Parameters
    ----------
    working : Path
        The attempt's working folder.
    out : Path
        Where its outputs are expected.
    outputs : mapping of str to Output
        The declared outputs.
    """
    own = frozenset(output.path for output in outputs.values())
    within = tuple(f"{output.path}/" for output in outputs.values() if output.is_folder)
    written = (name for name in _files(out) if name not in own and not name.startswith(within))
    found = [*_files(working), *written]
    tops = Counter(PurePosixPath(name).parts[0] for name in found)
    names = (
        name if tops[top] == 1 else f"{top}/ ({tops[top]} files)"
        for name in found
        for top in PurePosixPath(name).parts[:1]
    )
    return tuple(dict.fromkeys(names))


def _files(folder: Path) -> Iterator[str]:
    count = 0
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(n for n in folders if n not in _BY_PRODUCTS and not n.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and count < _MOST_FILES:
                count += 1
                yield (Path(place) / name).relative_to(folder).as_posix()


def sentence(names: tuple[str, ...]) -> str:
    """Say what was dropped: `roc.png, which no output declares: dropped`."""
    shown = ", ".join(names[:_MOST_SHOWN])
    more = len(names) - _MOST_SHOWN
    listed = f"{shown} and {more} more" if more > 0 else shown
    return f"wrote {listed}, which no output declares: dropped"


def explained(
    error: ErrorRecord | None, names: tuple[str, ...], beside: Path, pipeline_folder: Path
) -> ErrorRecord | None:
    """Add what helps to an error: what was written instead, or where the missing file stands.

    Parameters
    ----------
    error : ErrorRecord, optional
        The notebook's error.
    names : tuple of str
        What it wrote without declaring it.
    beside : Path
        The notebook's folder.
    pipeline_folder : Path
        The folder that `file:` is relative to.
    """
    if error is None:
        return None
    if error.type == "MissingOutput" and names:
        return replace(error, message=f"{error.message}; the notebook {sentence(names)}")
    misses = any(base.rpartition(".")[2] == "FileNotFoundError" for base in error.bases)
    if not misses and not _NOT_FOUND.search(error.message):
        return error
    for text in _QUOTED.findall(error.message):
        place = _place(beside, text)
        if place is not None:
            source = os.path.relpath(place, pipeline_folder)
            remedy = (
                f"a stage works in a folder of its own, and {text} stands beside the notebook: "
                f"declare it as an input, 'file:{source}', and use the path that arrives"
            )
            return replace(error, message=f"{error.message} ({remedy})")
    return error


def _place(folder: Path, text: str) -> Path | None:
    """Where a relative path leads from a folder; None if nothing stands there."""
    if Path(text).is_absolute():
        return None
    try:
        return next(p for p in (folder / text, folder / f"{text}.py") if p.is_file())
    except (OSError, ValueError, StopIteration):
        return None
