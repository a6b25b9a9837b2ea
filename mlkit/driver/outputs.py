"""What an attempt has written: check it, take it into the store, share it."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

from mlkit.core.record import ErrorRecord
from mlkit.errors import MlkitError
from mlkit.store.artifacts import ArtifactStore, Marks, copy_file

__all__ = ["check_outputs", "share_outputs", "take_outputs"]


def check_outputs(outputs: Mapping[str, str], folder: Path) -> ErrorRecord | None:
    """Every declared output must be a file of its own."""
    for name, file in outputs.items():
        path = folder / file
        try:
            mode = path.lstat().st_mode
        except OSError:
            return _missing(name, file, "was not written")
        if stat.S_ISLNK(mode) and path.is_file():
            _materialize(path)
        elif not stat.S_ISREG(mode):
            return _missing(name, file, "is not a file")
    return None


def _materialize(path: Path) -> None:
    """Replace a link by the file it leads to."""
    aside = path.with_name(f".{path.name}.part")
    copy_file(path, aside)
    aside.replace(path)


def _missing(name: str, file: str, state: str) -> ErrorRecord:
    return ErrorRecord(
        type="MissingOutput",
        message=f"the declared output '{name}' ({file}) {state}",
        bases=("mlkit.MissingOutput",),
    )


def take_outputs(
    outputs: Mapping[str, str], folder: Path, staging: Path, store: ArtifactStore
) -> dict[str, tuple[str, Marks]]:
    """Move the outputs into the store, and their copies into the staging folder."""
    taken = {}
    for name, file in outputs.items():
        path = folder / file
        if path.stat().st_nlink > 1:
            _materialize(path)
        taken[name] = store.take(path)
        target = staging / file
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
