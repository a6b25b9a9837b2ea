"""What an attempt has written: check it, take it into the store, share it."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from mlkit.core.outputs import Output
from mlkit.core.record import ErrorRecord
from mlkit.errors import MlkitError
from mlkit.store.artifact_store import ArtifactStore, Marks, clear
from mlkit.store.marks import made_own
from mlkit.store.trees import RefusedTreeError, survey

__all__ = ["check_outputs", "make_room", "share_outputs", "take_outputs", "write_notebooks"]


def make_room(outputs: Mapping[str, Output], folder: Path) -> None:
    """Make the folders that a stage writes into: an output that is a folder is there, empty."""
    for output in outputs.values():
        place = folder / output.path
        (place if output.is_folder else place.parent).mkdir(parents=True, exist_ok=True)


def write_notebooks(
    outputs: Mapping[str, Output], folder: Path, notebook: Path, title: str
) -> None:
    """Write the outputs that are the executed notebook itself.

    Parameters
    ----------
    outputs : mapping of str to Output
        The stage's outputs.
    folder : Path
        Where they are expected.
    notebook : Path
        The executed notebook; secrets are scrubbed from it already.
    title : str
        The page's title.
    """
    for output in outputs.values():
        if not output.is_notebook:
            continue
        place = folder / output.path
        clear(place)
        if place.suffix == ".html":
            # Markdown, highlighting and templates take a while to import, and few stages need them
            from mlkit.reports.notebook_page import write_notebook_page

            write_notebook_page(notebook, place, title)
        else:
            shutil.copyfile(notebook, place)


def check_outputs(outputs: Mapping[str, Output], folder: Path) -> ErrorRecord | None:
    """Every declared output must be a file or a folder of its own; an optional one may be missing.

    A folder that was left empty is missing.
    """
    for name, output in outputs.items():
        state = _state(folder / output.path, output)
        if state is not None:
            return ErrorRecord(
                type="MissingOutput",
                message=f"the declared output '{name}' ({output.name}) {state}",
                bases=("mlkit.MissingOutput",),
            )
    return None


def _state(path: Path, output: Output) -> str | None:
    """What is wrong with an output; None if nothing is."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return None if output.optional else "was not written"
    if output.is_folder:
        return _state_of_folder(path, mode, output)
    if stat.S_ISLNK(mode) and path.is_file():
        made_own(path)
    elif stat.S_ISDIR(mode):
        return (
            f"is a folder; to hand on a folder, end its name in pipeline.yaml with '/': "
            f"'{output.path}/{'?' if output.optional else ''}'"
        )
    elif not stat.S_ISREG(mode):
        return "is not a file"
    return None


def _state_of_folder(path: Path, mode: int, output: Output) -> str | None:
    if stat.S_ISREG(mode):
        return (
            "is a file; a name in pipeline.yaml that ends with '/' is a folder: write into it, or "
            "take the '/' away"
        )
    if not stat.S_ISDIR(mode):
        return "is not a folder of its own"
    if _is_empty(path):
        return None if output.optional else "was left empty"
    try:
        survey(path)
    except RefusedTreeError as error:
        return f"cannot be handed on: {error.strerror}"
    return None


def _is_empty(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return next(entries, None) is None


def take_outputs(
    outputs: Mapping[str, Output], folder: Path, staging: Path, store: ArtifactStore
) -> dict[str, tuple[str, Marks]]:
    """Move the outputs into the store, and their copies into the staging folder.

    An optional one that was not written is absent.
    """
    taken = {}
    for name, output in outputs.items():
        path = folder / output.path
        if not path.exists() or (output.is_folder and _is_empty(path)):
            continue
        if not output.is_folder and path.stat().st_nlink > 1:
            made_own(path)
        taken[name] = store.take(path)
        target = staging / output.path
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
    return taken


def share_outputs(
    artifacts: Mapping[str, tuple[str, Marks]], store: ArtifactStore
) -> MlkitError | None:
    """Send artifacts to where the store is shared; what prevents it loses no result."""
    try:
        store.share(digest for digest, _ in artifacts.values())
    except MlkitError as error:
        return error
    return None
