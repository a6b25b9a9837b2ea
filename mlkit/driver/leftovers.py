"""What a notebook left in its working folder, and what it looked for there in vain.

The folder is the attempt's own, as are those above it, and goes when it has ended. A file that no
output declares goes with it, and a relative path does not find what stands beside the notebook:
both are told.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from mlkit.core.outputs import Output
from mlkit.core.record import ErrorRecord
from mlkit.frozen import dataclass, replace

__all__ = ["dropped", "explained", "sentence"]

_BY_PRODUCTS = frozenset({"__pycache__", "catboost_info"})
"""What libraries write for themselves."""

_MOST_SHOWN = 5
_MOST_FILES = 10_000
_QUOTED = re.compile(r"""['"`]+([^'"`\n]{1,300}?)['"`]+""")
_NOT_FOUND = re.compile(r"no such file|not found|does(?: not|n't) exist|cannot open", re.IGNORECASE)
_NO_FOLDER = "non-existent directory"
"""What pandas says."""


def dropped(
    working: Path, out: Path, outputs: Mapping[str, Output], *, top: Path | None = None
) -> tuple[str, ...]:
    """Name the files that will go, since no output declares them; a folder's together.

    Parameters
    ----------
    working : Path
        The attempt's working folder.
    out : Path
        Where its outputs are expected.
    outputs : mapping of str to Output
        The declared outputs.
    top : Path, optional
        The folder above the working folder that goes with it; by default it goes alone.
    """
    own = frozenset(output.path for output in outputs.values())
    within = tuple(f"{output.path}/" for output in outputs.values() if output.is_folder)
    written = (n for n in _files(out, out) if n not in own and not n.startswith(within))
    found = [*_files(top or working, working), *written]
    tops = Counter(map(_top, found))
    names = (
        name if tops[top] == 1 else f"{top}/ ({tops[top]} files)"
        for name, top in zip(found, map(_top, found), strict=True)
    )
    return tuple(dict.fromkeys(names))


def _top(name: str) -> str:
    """What of a path stands in the working folder, or in one above it: `plots`, `../models`."""
    parts = PurePosixPath(name).parts
    return "/".join(parts[: parts.count("..") + 1])


def _files(folder: Path, seen_from: Path) -> Iterator[str]:
    """The files below a folder, as paths from where they are seen."""
    count = 0
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(n for n in folders if n not in _BY_PRODUCTS and not n.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and count < _MOST_FILES:
                count += 1
                yield Path(os.path.relpath(Path(place) / name, seen_from)).as_posix()


def sentence(names: tuple[str, ...]) -> str:
    """Say what was dropped: `roc.png, which no output declares: dropped`."""
    shown = ", ".join(names[:_MOST_SHOWN])
    more = len(names) - _MOST_SHOWN
    listed = f"{shown} and {more} more" if more > 0 else shown
    return f"wrote {listed}, which no output declares: dropped"


def explained(
    error: ErrorRecord | None,
    names: tuple[str, ...],
    beside: Path,
    pipeline_folder: Path,
    values: Mapping[str, object],
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
    values : mapping of str to object
        What the notebook's parameters held: one of them may be the path.
    """
    if error is None:
        return None
    if error.type == "MissingOutput" and names:
        return replace(error, message=f"{error.message}; the notebook {sentence(names)}")
    misses = any(base.rpartition(".")[2] == "FileNotFoundError" for base in error.bases)
    misses = misses or ("builtins.OSError" in error.bases and _NO_FOLDER in error.message)
    if not misses and not _NOT_FOUND.search(error.message):
        return error
    for text in _QUOTED.findall(error.message):
        held_by = next((name for name, value in values.items() if value == text), None)
        looked_for = _LookedFor(text=text, held_by=held_by)
        remedy = _remedy(looked_for, beside, pipeline_folder, with_folders=misses)
        if remedy is not None:
            return replace(error, message=f"{error.message} ({remedy})")
    return error


@dataclass(frozen=True, kw_only=True)
class _LookedFor:
    """A path that the notebook asked for in vain, and the parameter that held it, if one did."""

    text: str
    held_by: str | None

    def declared(self, key: str, written: str) -> str:
        """The line for pipeline.yaml, and what is left to do in the notebook."""
        path = PurePosixPath(self.text)
        name = self.held_by or re.sub(r"\W|^(?=\d)", "_", path.stem) or "data"
        rest = "" if self.held_by else f", and use the path that arrives as {name}"
        return f"{key}: {{{name}: '{written}'}}{rest}"


def _remedy(
    looked_for: _LookedFor, beside: Path, pipeline_folder: Path, *, with_folders: bool
) -> str | None:
    """What to do about a path that was not found; None where the working folder is not why.

    What is to be done comes first: a terminal cuts long messages.
    """
    why, text = "a stage works in a folder of its own", looked_for.text
    file = _place(beside, text, Path.is_file) or _place(beside, f"{text}.py", Path.is_file)
    if file is not None:
        source = os.path.relpath(file, pipeline_folder)
        declared = looked_for.declared("inputs", f"file:{source}")
        return (
            f"declare it in pipeline.yaml, {declared}: {why}, and {text} stands beside the notebook"
        )
    if not with_folders:
        return None
    folder, above = _place(beside, text, Path.is_dir), Path(text).parent.as_posix()
    if folder is not None:
        source = os.path.relpath(folder, pipeline_folder)
        return (
            f"declare what it writes there as an output, or what it reads as an input, "
            f"'file:{source}/': {why}, and {text} stands beside the notebook"
        )
    if _place(beside, above, Path.is_dir) is not None:
        declared = looked_for.declared("outputs", PurePosixPath(text).name)
        return (
            f"if the notebook writes it, declare it as an output, {declared}: {why}, where there "
            f"is no {above}"
        )
    return None


def _place(folder: Path, text: str, is_one: Callable[[Path], bool]) -> Path | None:
    """Where a relative path leads from a folder; None if no such thing stands there."""
    if not text.strip("./") or Path(text).is_absolute():
        return None
    with contextlib.suppress(OSError, ValueError):
        return folder / text if is_one(folder / text) else None
    return None
