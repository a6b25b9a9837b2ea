"""Where a stage's inputs come from: paths for its notebook, digests for its fingerprint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlkit.core.pipeline import ExternalFile, Instance, Node, StageOutput
from mlkit.core.record import ArtifactRecord

__all__ = ["ResolvedInputs", "resolve_inputs"]

Made = Callable[[Node, str], Sequence[tuple[str, ArtifactRecord | None]]]
"""Gives id and artifact of each instance that a reference means, for one output; None if it made
none."""


@dataclass(frozen=True, kw_only=True)
class ResolvedInputs:
    """The inputs of one instance.

    Parameters
    ----------
    paths : mapping
        Input name to absolute path, list of paths from a mapped stage, or None.
    digests : mapping
        The same with digests; in a list each after the instance that made it, whose name the
        notebook sees in the path.
    artifacts : tuple of ArtifactRecord
        Every artifact of another stage that it is handed.
    files : tuple of ArtifactRecord
        The files from outside that it is handed.
    missing : mapping of str to str
        Inputs that were not made, and what should have made them.
    """

    paths: Mapping[str, Any]
    digests: Mapping[str, Any]
    artifacts: tuple[ArtifactRecord, ...]
    files: tuple[ArtifactRecord, ...]
    missing: Mapping[str, str]


def resolve_inputs(
    instance: Instance,
    made: Made,
    gives_list: Callable[[Node], bool],
    external: Mapping[str, ArtifactRecord | None],
) -> ResolvedInputs:
    """Find the inputs of an instance.

    Parameters
    ----------
    instance : Instance
        The stage, or one value of it.
    made : callable
        The artifacts of upstream stages, as this instance refers to them.
    gives_list : callable
        Whether a reference means a list.
    external : mapping
        The files from outside by input name; None where there is no such file.
    """
    paths: dict[str, Any] = {}
    digests: dict[str, Any] = {}
    artifacts: list[ArtifactRecord] = []
    files: list[ArtifactRecord] = []
    missing: dict[str, str] = {}
    for name, source in instance.stage.inputs.items():
        found = _found(name, source, made, external)
        handed = files if isinstance(source, ExternalFile) else artifacts
        handed += [item for _, item in found if item is not None]
        if isinstance(source, StageOutput) and gives_list(source.node):
            present = [(key, item) for key, item in found if item is not None]
            paths[name] = [item.path for _, item in present]
            digests[name] = [f"{key} {item.digest}" for key, item in present]
            continue
        one = found[0][1] if found else None
        paths[name] = None if one is None else one.path
        digests[name] = None if one is None else one.digest
        if one is None:
            missing[name] = str(source)
    return ResolvedInputs(
        paths=paths,
        digests=digests,
        artifacts=tuple(artifacts),
        files=tuple(files),
        missing=missing,
    )


def _found(
    name: str,
    source: StageOutput | ExternalFile,
    made: Made,
    external: Mapping[str, ArtifactRecord | None],
) -> Sequence[tuple[str, ArtifactRecord | None]]:
    if isinstance(source, ExternalFile):
        return [(name, external.get(name))]
    return made(source.node, source.output)
