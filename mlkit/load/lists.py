"""Lists that a stage maps over: what may stand in them, and those that a run's parameters give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from mlkit.core.configuration import Configuration
from mlkit.core.instances import MOST_INSTANCES, written
from mlkit.core.pipeline import Axis, Foreach, Pipeline, Stage
from mlkit.core.types import TypeSpec, ValueMismatchError, fit, is_scalar
from mlkit.core.values import canonical, shown
from mlkit.errors import ConfigurationError
from mlkit.frozen import dataclass
from mlkit.load.brackets import BracketError, with_picks

__all__ = [
    "ONCE",
    "PARAMETERS",
    "ListTrouble",
    "check_lists",
    "trouble_with_values",
    "twice_as_declared",
    "with_lists",
]

PARAMETERS = "parameters"
"""What stands before the name of a pipeline's parameter where a list is expected."""

ONCE = "Write each value once: instances are told apart by them"
_SCALARS = (
    "A value is a text, a number, a date, true, false or null; for combinations map over several "
    "parameters"
)


@dataclass(frozen=True, kw_only=True)
class ListTrouble:
    """Why a list cannot be mapped over, what to do, and which of its members shows it."""

    fact: str
    remedy: str
    place: int


def trouble_with_values(values: Sequence[Any]) -> ListTrouble | None:
    """Look for a value that is no scalar, that stands twice, or that reads as another one does."""
    seen: dict[str, Any] = {}
    for place, value in enumerate(values):
        if not is_scalar(value):
            fact = f"the value {value!r} is not a scalar"
            return ListTrouble(fact=fact, remedy=_SCALARS, place=place)
        name = written(value)
        if name in seen and type(seen[name]) is not type(value):
            fact = f"the values {seen[name]!r} and {value!r} would have one name, [{name}]"
            return ListTrouble(fact=fact, remedy=ONCE, place=place)
        if name in seen:
            return ListTrouble(fact=f"the value {value!r} stands twice", remedy=ONCE, place=place)
        seen[name] = value
    return None


def twice_as_declared(values: Sequence[Any], spec: TypeSpec) -> Any:
    """The first value that equals an earlier one for the declared type; None if there is none.

    Raises
    ------
    ValueMismatchError
        If a value is not of the type.
    """
    seen: set[str] = set()
    for value in values:
        own = fit(value, spec)
        fitted = canonical(own + 0.0 if isinstance(own, float) else own)  # -0.0 equals 0.0
        if fitted in seen:
            return value
        seen.add(fitted)
    return None


def with_lists(pipeline: Pipeline, configuration: Configuration) -> Pipeline:
    """Give a pipeline whose stages map over the lists that a run's parameters hold.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline; its lists are those of pipeline.yaml.
    configuration : Configuration
        The parameters of a run.

    Raises
    ------
    ConfigurationError
        If a parameter is no list of unique scalars of the declared type, if there would be too
        many instances, or if two stages that are chained would map over different lists.
    """
    if not any(_listed(stage) for stage in pipeline.stages.values()):
        return pipeline
    stages = {
        name: _with_lists(pipeline, stage, configuration) if _listed(stage) else stage
        for name, stage in pipeline.stages.items()
    }
    for stage in stages.values():
        for node in stage.upstream:
            try:
                with_picks(node, stage, stages)
            except BracketError as error:
                raise ConfigurationError(
                    f"stage '{stage.name}': with the parameters of this run '{node}' means "
                    f"nothing: {error.fact}",
                    str(pipeline.file),
                    stage.line,
                    error.remedy,
                    code="E205",
                ) from None
    return replace(pipeline, stages=stages)


def _listed(stage: Stage) -> bool:
    return stage.foreach is not None and any(axis.listed for axis in stage.foreach.axes)


def _with_lists(pipeline: Pipeline, stage: Stage, configuration: Configuration) -> Stage:
    assert stage.foreach is not None
    given = partial(_given, pipeline, stage, configuration)
    foreach = Foreach(axes=tuple(map(given, stage.foreach.axes)))
    size = foreach.size
    if len(foreach.axes) > 1 and size is not None and size > MOST_INSTANCES:
        raise ConfigurationError(
            f"stage '{stage.name}' would have {size:,} instances, and a product may have "
            f"{MOST_INSTANCES:,}",
            remedy="Give shorter lists",
            code="E210",
        )
    return replace(stage, foreach=foreach)


def _given(pipeline: Pipeline, stage: Stage, configuration: Configuration, axis: Axis) -> Axis:
    if axis.listed is None:
        return axis
    bound = configuration.pipeline[axis.listed]
    fact = "is a secret" if bound.secret else _trouble(stage, axis, bound.value)
    if fact is not None:
        refusal = _refusal(stage, axis, bound.origin, fact)
        if bound.origin == pipeline.file.name and axis.listed in pipeline.lines:
            refusal.file, refusal.line = str(pipeline.file), pipeline.lines[axis.listed]
        raise refusal
    return replace(axis, values=tuple(bound.value))


def check_lists(pipeline: Pipeline, name: str, value: Any, origin: str) -> None:
    """Check a value of a parameter of the pipeline against the stages that map over it.

    Raises
    ------
    ConfigurationError
        If it is no list of unique scalars of the type that a stage declares.
    """
    for stage in pipeline.stages.values():
        for axis in () if stage.foreach is None else stage.foreach.axes:
            fact = _trouble(stage, axis, value) if axis.listed == name else None
            if fact is not None:
                raise _refusal(stage, axis, origin, fact)


def _trouble(stage: Stage, axis: Axis, values: Any) -> str | None:
    """Why a stage cannot map over a value; None if it can."""
    if not isinstance(values, list):
        return f"is {shown(values)}, and a list is needed"
    trouble = trouble_with_values(values)
    if trouble is not None:
        return f"cannot be mapped over: {trouble.fact}"
    try:
        twice = twice_as_declared(values, stage.type_of_values(axis.parameter))
    except ValueMismatchError as error:
        return f"does not fit '{axis.parameter}': {error} (as {stage.notebook.name} declares)"
    return None if twice is None else f"holds {twice!r} twice"


def _refusal(stage: Stage, axis: Axis, origin: str, fact: str) -> ConfigurationError:
    return ConfigurationError(
        f"parameter '{axis.listed}', which stage '{stage.name}' maps over, {fact} ({origin})",
        remedy=f"Give a list of different values, such as -p '{axis.listed}=[1, 2]'",
        code="E210",
    )
