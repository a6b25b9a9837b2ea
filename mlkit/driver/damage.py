"""Inputs that changed while a stage ran: make them good, and do not believe what was read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlkit.core.record import ArtifactRecord, ErrorRecord
from mlkit.driver.context import Context
from mlkit.planner.inputs import ResolvedInputs
from mlkit.store.folder import readable_os_errors

if TYPE_CHECKING:
    from mlkit.driver.attempt import Outcome

__all__ = ["doubtful_inputs", "mend_inputs"]

_COPY_FIRST = (
    ". A file that grows all the time is copied first, by a stage with 'cache: false' that takes "
    "its path as a parameter: docs/surroundings.md"
)


def mend_inputs(context: Context, outcome: Outcome) -> None:
    """Make an attempt's damaged inputs good from the store, and say so.

    The damage is written down first: a stage that was reading the same file, in this run or in
    another one, can then know of it although the file looks whole again.
    """
    if not outcome.damaged:
        return
    digests = [artifact.digest for artifact in outcome.damaged]
    context.stores.database.remember_repairs(digests, context.order.services.clock.now())
    stage = outcome.job.instance_id
    for artifact in outcome.damaged:
        path = Path(artifact.path)
        place = Path(*path.parts[-2:])
        if context.stores.artifacts.is_whole(artifact.digest, None, deep=True):
            with readable_os_errors(path.parent):
                context.stores.artifacts.restore(artifact.digest, path)
            ending = f"the {_kind(artifact)} was made good from the store"
        else:
            ending = "the store has lost it too: run the stage that makes it with --force"
        context.book.warn(f"stage '{stage}' changed its input {place}; {ending}", stage)


def doubtful_inputs(context: Context, inputs: ResolvedInputs, since: float) -> ErrorRecord | None:
    """Say whether an input was, while an attempt ran, something else than what is recorded."""
    if context.stores.database.repaired_since((a.digest for a in inputs.artifacts), since):
        return _changed(
            "another stage changed an input of this one while it ran; the input was made good"
        )
    for file in inputs.files:
        if _digest(context, file) != file.digest:
            return _changed(
                f"the {_kind(file)} {file.path} changed while the stage read it", _COPY_FIRST
            )
    return None


def _digest(context: Context, file: ArtifactRecord) -> str | None:
    try:
        return context.planner.file_digest(Path(file.path), is_folder=file.is_folder)
    except OSError:
        return None


def _kind(artifact: ArtifactRecord) -> str:
    return "folder" if artifact.is_folder else "file"


def _changed(fact: str, further: str = "") -> ErrorRecord:
    return ErrorRecord(
        type="InputChanged",
        message=f"{fact}, the result is not used. Run the stage again{further}",
        bases=("mlkit.InputChanged",),
    )
