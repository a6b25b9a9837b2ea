"""What an instance is handed: artifacts of this run, and files from outside."""

from __future__ import annotations

from pathlib import Path

from mlkit.core.pipeline import ExternalFile, Instance
from mlkit.core.record import ArtifactRecord
from mlkit.core.types import accepts
from mlkit.driver.context import Context
from mlkit.planner.deciding import Planner
from mlkit.planner.inputs import ResolvedInputs, resolve_inputs

__all__ = ["MissingInputError", "arrivals"]


class MissingInputError(ValueError):
    """An input is not there, and the notebook does not say that it can do without."""


def arrivals(context: Context, instance: Instance) -> ResolvedInputs:
    """Find the inputs of an instance.

    Raises
    ------
    MissingInputError
        If one is not there.
    """
    state, files = context.book.state, _files(context, instance)
    inputs = resolve_inputs(instance, state.made, state.is_mapped, files)
    declared = instance.stage.declared
    unfit = [
        f"'{name}' ({source})"
        for name, source in inputs.missing.items()
        if not accepts(declared[name].spec, None)
    ]
    if unfit:
        raise MissingInputError(
            f"the input {', '.join(unfit)} was not made, and what the notebook declares does "
            "not allow None; annotate it 'str | None' if the stage can do without"
        )
    return inputs


def _files(context: Context, instance: Instance) -> dict[str, ArtifactRecord | None]:
    found: dict[str, ArtifactRecord | None] = {}
    for name, source in instance.stage.inputs.items():
        if isinstance(source, ExternalFile):
            path = Path(context.order.configuration.files[f"{instance.stage.name}.{name}"])
            found[name] = _file(context.planner, name, path)
    return found


def _file(planner: Planner, name: str, path: Path) -> ArtifactRecord:
    try:
        digest = planner.file_digest(path)
        size_bytes = path.stat().st_size if digest is not None else 0
    except OSError as error:
        raise MissingInputError(
            f"the input '{name}' ({path}) cannot be read: {error.strerror}"
        ) from None
    if digest is None:
        state = "is not a file" if path.exists() else "does not exist"
        raise MissingInputError(f"the input '{name}' ({path}) {state}")
    return ArtifactRecord(path=str(path), digest=digest, size_bytes=size_bytes)
