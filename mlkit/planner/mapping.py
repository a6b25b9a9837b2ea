"""The instances of a mapped stage whose values stand in an artifact."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlkit.core.pipeline import Instance, Node, Stage
from mlkit.core.types import ValueMismatchError, fit, is_scalar
from mlkit.core.values import label

__all__ = ["MappingError", "instances_of"]


class MappingError(ValueError):
    """The artifact that a stage maps over holds no list of unique scalars."""


def instances_of(stage: Stage, find: Callable[[Node, str], Path | None]) -> list[Instance]:
    """Read the values of a `foreach` and make one instance for each.

    Parameters
    ----------
    stage : Stage
        A mapped stage, or one that is not.
    find : callable
        Gives the file of a node's output.

    Raises
    ------
    MappingError
        If the artifact is missing or holds anything but a JSON list of unique scalars of the
        declared type.
    """
    foreach = stage.foreach
    if foreach is None:
        return [Instance(stage=stage)]
    if foreach.values is not None:
        return [Instance(stage=stage, value=value) for value in foreach.values]
    assert foreach.source is not None
    path = find(foreach.source.node, foreach.source.output)
    if path is None:
        raise MappingError(f"'foreach' reads {foreach.source}, which was not made")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MappingError(f"{foreach.source} holds no JSON ({error})") from None
    if not isinstance(values, list) or not all(map(is_scalar, values)):
        raise MappingError(f"{foreach.source} must hold a JSON list of scalars")
    if len(set(map(label, values))) < len(values):
        raise MappingError(f"{foreach.source} holds a value twice")
    spec = stage.declared[foreach.parameter].spec
    try:
        fitted = [fit(value, spec) for value in values]
    except ValueMismatchError as error:
        raise MappingError(f"{foreach.source}: {error}") from None
    seen: dict[str, Any] = {}
    for given, value in zip(values, fitted, strict=True):
        # 0.0 and -0.0 are equal, too
        key = label(value + 0.0 if isinstance(value, float) else value)
        if key in seen:
            raise MappingError(
                f"{foreach.source} holds {seen[key]!r} and {given!r}, which are one value for "
                f"'{foreach.parameter}: {spec}'"
            )
        seen[key] = given
    return [Instance(stage=stage, value=value) for value in fitted]
