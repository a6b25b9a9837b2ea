"""Where a stage's inputs come from: paths for its notebook, digests for its fingerprint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlkit.core.pipeline import Instance, Node, RunOutput, Source, StageOutput
from mlkit.core.record import ArtifactRecord
from mlkit.frozen import dataclass

__all__ = ["ResolvedInputs", "resolve_inputs"]

External = Sequence[tuple[str, ArtifactRecord | None]]
Made = Callable[[Node, str], External]
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
    external: Mapping[str, External],
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
        The files from outside and of other runs by input name, each with what wrote it.
    """
    paths: dict[str, Any] = {}
    digests: dict[str, Any] = {}
    artifacts: list[ArtifactRecord] = []
    files: list[ArtifactRecord] = []
    missing: dict[str, str] = {}
    for name, source in instance.stage.inputs.items():
        found = _found(name, source, made, external)
        handed = artifacts if isinstance(source, StageOutput) else files
        handed += [item for _, item in found if item is not None]
        is_list = (
            gives_list(source.node)
            if isinstance(source, StageOutput)
            else isinstance(source, RunOutput) and source.is_list
        )
        if is_list:
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
    source: Source,
    made: Made,
    external: Mapping[str, External],
) -> External:
    if isinstance(source, StageOutput):
        return made(source.node, source.output)
    return external.get(name, ())
