"""The instances of a mapped stage: every combination of its values, lists in artifacts included."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlkit.core.instances import MOST_INSTANCES, written
from mlkit.core.pipeline import Axis, Instance, Node, Stage
from mlkit.core.types import ValueMismatchError, fit, is_scalar
from mlkit.core.values import shown

__all__ = ["MappingError", "instances_of"]

_MOST_SHOWN = 60


class MappingError(ValueError):
    """The artifact that a stage maps over holds no list of unique scalars."""


def instances_of(stage: Stage, find: Callable[[Node, str], Path | None]) -> list[Instance]:
    """Read the values of a `foreach` and make one instance for each combination.

    Parameters
    ----------
    stage : Stage
        A mapped stage, or one that is not.
    find : callable
        Gives the file of a node's output.

    Returns
    -------
    list of Instance
        The last parameter's values follow one another.

    Raises
    ------
    MappingError
        If an artifact is missing or holds anything but a JSON list of unique scalars of the
        declared type, or if there are too many combinations.
    """
    foreach = stage.foreach
    if foreach is None:
        return [Instance(stage=stage)]
    lists = [_values(stage, axis, find) for axis in foreach.axes]
    size = math.prod(map(len, lists))
    if len(lists) > 1 and size > MOST_INSTANCES:
        raise MappingError(
            f"'foreach' makes {size:,} instances, and a product may have {MOST_INSTANCES:,}"
        )
    return [Instance(stage=stage, values=values) for values in itertools.product(*lists)]


def _values(stage: Stage, axis: Axis, find: Callable[[Node, str], Path | None]) -> tuple[Any, ...]:
    if axis.source is None:
        if axis.values is None:
            raise MappingError(f"nobody has filled in 'parameters.{axis.listed}'")
        return axis.values
    path = find(axis.source.node, axis.source.output)
    if path is None:
        raise MappingError(f"'foreach' reads {axis.source}, which was not made")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MappingError(f"{axis.source} holds no JSON ({error})") from None
    if not isinstance(values, list):
        raise MappingError(f"{axis.source} must hold a JSON list of scalars, not {_brief(values)}")
    names: dict[str, Any] = {}
    for value in values:
        if not is_scalar(value):
            raise MappingError(
                f"{axis.source} must hold a JSON list of scalars, and {_brief(value)} is none"
            )
        name = written(value)
        if name in names:
            alike = type(names[name]) is not type(value)
            also = f", also as {_brief(names[name])}" if alike else ""
            raise MappingError(f"{axis.source} holds the value {_brief(value)} twice{also}")
        names[name] = value
    return _fitted(stage, axis, values)


def _brief(value: Any) -> str:
    text = shown(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _fitted(stage: Stage, axis: Axis, values: list[Any]) -> tuple[Any, ...]:
    spec = stage.type_of_values(axis.parameter)
    try:
        fitted = tuple(fit(value, spec) for value in values)
    except ValueMismatchError as error:
        raise MappingError(f"{axis.source}: {error}") from None
    seen: dict[str, Any] = {}
    for given, value in zip(values, fitted, strict=True):
        # 0.0 and -0.0 are equal, too
        key = written(value + 0.0 if isinstance(value, float) else value)
        if key in seen:
            raise MappingError(
                f"{axis.source} holds {seen[key]!r} and {given!r}, which are one value for "
                f"'{axis.parameter}: {spec}'"
            )
        seen[key] = given
    return fitted
