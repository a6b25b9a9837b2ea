"""Hold a stage against what its notebook declares."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from mlkit.core.pipeline import (
    Axis,
    Declaration,
    ExternalFile,
    Pipeline,
    RunOutput,
    Stage,
    StageOutput,
    gives_list,
)
from mlkit.core.suggesting import nearest
from mlkit.core.types import ValueMismatchError, accepts, fit
from mlkit.frozen import replace
from mlkit.load.lists import ONCE, twice_as_declared
from mlkit.load.section import Section, did_you_mean

__all__ = [
    "ENVIRONMENT",
    "check_parameter_defaults",
    "fit_to_notebook",
    "holds_variable",
    "written_path",
]

ENVIRONMENT = "${"
_SAMPLE_PATH = "/path"


def holds_variable(value: Any) -> bool:
    """Whether a value holds `${NAME}`, which only a run fills in."""
    if isinstance(value, str):
        return ENVIRONMENT in value
    if isinstance(value, Mapping):
        return any(map(holds_variable, value.values()))
    return isinstance(value, list) and any(map(holds_variable, value))


def written_path(source: ExternalFile, folder: PurePath) -> str:
    """The path of a file from outside as it was written: the folder's own name is no variable."""
    path = source.path
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def fit_to_notebook(stage: Stage, section: Section, stages: Mapping[str, Stage]) -> Stage:
    """Check every name and value of a stage against its notebook.

    Parameters
    ----------
    stage : Stage
        As pipeline.yaml says, and what its notebook's parameters cell declares.
    section : Section
        Its place in pipeline.yaml.
    stages : mapping of str to Stage
        All stages of the pipeline, their references resolved.

    Returns
    -------
    Stage
        With its values fitted to the types that it declares.

    Raises
    ------
    PipelineError
        If pipeline.yaml gives a name that the notebook does not declare, or a value of another
        type.
    """
    _names_once(stage, section)
    for kind in ("parameters", "inputs", "outputs"):
        _declared(stage, section, kind)
    _paths_fit(stage, section, stages)
    parameters = _fit_parameters(stage, section)
    followed = _followed(stage, section, stages)
    fitted = replace(stage, parameters=parameters, followed=followed)
    for axis in () if stage.foreach is None else stage.foreach.axes:
        _check_axis(fitted, axis, section)
    return fitted


TAGGED = "Declare it with a default in the cell tagged 'parameters'"
UNTAGGED = (
    "Declare it with a default in a cell tagged 'parameters'; JupyterLab shows a cell's tags in "
    "the Property Inspector (the gears on the right), Common Tools, Cell Tags"
)


def _names_once(stage: Stage, section: Section) -> None:
    seen: dict[str, str] = {}
    groups: dict[str, Mapping[str, Any]] = {
        "parameters": stage.parameters,
        "inputs": stage.inputs,
        "outputs": stage.outputs,
        "foreach": {} if stage.foreach is None else dict.fromkeys(stage.foreach.parameters),
    }
    for kind, names in groups.items():
        for name in names:
            if name in seen:
                section.fail(
                    f"'{name}' stands under '{seen[name]}' and under '{kind}'",
                    _line(section, kind, name),
                    "Give each a name of its own",
                    code="E208",
                )
            seen[name] = kind


def _declared(stage: Stage, section: Section, kind: str) -> None:
    for name in getattr(stage, kind):
        by_mlkit = kind == "outputs" and stage.outputs[name].is_notebook
        if name not in stage.declared and not by_mlkit:
            section.fail(
                f"the notebook {stage.notebook.name} declares no '{name}' "
                f"(which stands under '{kind}')",
                _line(section, kind, name),
                did_you_mean(name, stage.declared) or (TAGGED if stage.declared else UNTAGGED),
                code="E208",
            )


def _paths_fit(stage: Stage, section: Section, stages: Mapping[str, Stage]) -> None:
    for name in stage.outputs.keys() & stage.declared.keys():
        _path_fits(stage, section, stage.declared[name], "outputs")
    for name, source in stage.inputs.items():
        if isinstance(source, RunOutput) and accepts(stage.declared[name].spec, [_SAMPLE_PATH]):
            continue  # whether it is a list is told by the run that has made it
        if not isinstance(source, StageOutput) or not gives_list(source.node, stages):
            _path_fits(stage, section, stage.declared[name], "inputs")
        elif not accepts(stage.declared[name].spec, [_SAMPLE_PATH]):
            section.fail(
                f"input '{name}' comes from the mapped stage '{source}' as a list of paths, but "
                f"{stage.notebook.name} declares {stage.declared[name].spec}",
                _line(section, "inputs", name),
                _for_a_list(stage, name, source, stages),
                code="E208",
            )


def _for_a_list(stage: Stage, name: str, source: StageOutput, stages: Mapping[str, Stage]) -> str:
    """What to do where a list arrives, and a path was expected."""
    remedy = f"Declare it '{name}: list[str]'"
    mine = set() if stage.foreach is None else set(stage.foreach.parameters)
    theirs = stages[source.node.stage].foreach
    if source.node.value is not None or theirs is None or not mine.issuperset(theirs.parameters):
        return remedy
    own = f"{source.node.stage}[{','.join(theirs.parameters)}].{source.output}"
    return f"{remedy}, or write {own} for its own one"


def _path_fits(stage: Stage, section: Section, item: Declaration, kind: str) -> None:
    if not accepts(item.spec, _SAMPLE_PATH):
        section.fail(
            f"'{item.name}' (under '{kind}') is a path, but {stage.notebook.name} declares "
            f"{item.spec}",
            _line(section, kind, item.name),
            f"Declare it '{item.name}: str'",
            code="E208",
        )


def _fit_parameters(stage: Stage, section: Section) -> dict[str, Any]:
    fitted = {}
    for name, value in stage.parameters.items():
        if holds_variable(value):
            fitted[name] = value
            continue
        try:
            fitted[name] = fit(value, stage.declared[name].spec)
        except ValueMismatchError as error:
            section.fail(
                f"parameter '{name}': {error} (as {stage.notebook.name} declares)",
                _line(section, "parameters", name),
                "Change the value, or the annotation in the notebook",
                code="E208",
            )
    return fitted


def _followed(
    stage: Stage, section: Section, stages: Mapping[str, Stage]
) -> dict[str, Declaration]:
    """Find the type of the `foreach` values that the notebook has no need of.

    Each of its instances is given the inputs of its own, and so differs from the others all the
    same. Without such an input all instances would do one and the same thing; and a name that is
    nearly the same was meant to receive the value.
    """
    names = () if stage.foreach is None else stage.foreach.parameters
    followed = {}
    for name in names:
        if name in stage.declared:
            continue
        mistaken = nearest(name, stage.declared)
        origin = None if mistaken else _origin(stage, name, stages, set())
        if origin is None:
            own = f"Declare it, or read an input of its own {name}: STAGE[{name}].OUTPUT"
            section.fail(
                f"'foreach' maps over '{name}', which {stage.notebook.name} does not declare",
                _line(section, "foreach", name),
                f"Did you mean '{mistaken}'?" if mistaken else own,
                code="E208",
            )
        followed[name] = origin
    return followed


def _origin(
    stage: Stage, parameter: str, stages: Mapping[str, Stage], seen: set[str]
) -> Declaration | None:
    """What the stage declares whose instances are followed, by way of others or at once."""
    if parameter in stage.declared:
        return stage.declared[parameter]
    for source in stage.inputs.values():
        if not isinstance(source, StageOutput) or source.node.stage in seen:
            continue
        if any(p.parameter == parameter and p.value is None for p in source.node.picks):
            found = _origin(stages[source.node.stage], parameter, stages, {*seen, stage.name})
            if found is not None:
                return found
    return None


def _check_axis(stage: Stage, axis: Axis, section: Section) -> None:
    """Check the values; they stay as they are written, since references name them so."""
    line = _line(section, "foreach", axis.parameter)
    spec = stage.type_of_values(axis.parameter)
    if spec.is_secret:
        section.fail(
            "'foreach' cannot map over a secret",
            line,
            "The values stand in names of folders; map over something that may be seen",
            code="E210",
        )
    try:
        twice = twice_as_declared(axis.values or (), spec)
    except ValueMismatchError as error:
        section.fail(
            f"'foreach': {error} (as {stage.notebook.name} declares)",
            line,
            "Change the value, or the annotation in the notebook",
            code="E208",
        )
    if twice is not None:
        section.fail(f"'foreach': the value {twice!r} stands twice", line, ONCE, code="E210")


def _line(section: Section, kind: str, name: str) -> int:
    inner = section.section(kind) if section.get(kind) is not None else None
    return section.line_of(kind) if inner is None else inner.line_of(name)


def check_parameter_defaults(pipeline: Pipeline, section: Section | None) -> None:
    """Check the pipeline's parameters against every notebook that declares one of that name."""
    if section is None:
        return
    for name, value in pipeline.parameters.items():
        for stage in pipeline.stages.values():
            item = stage.configurable.get(name)
            if item is None or holds_variable(value) or stage.maps_over(name):
                continue
            try:
                fit(value, item.spec)
            except ValueMismatchError as error:
                section.fail(
                    f"'{name}': {error} (as {stage.notebook.name} of stage '{stage.name}' "
                    "declares)",
                    section.line_of(name),
                    "Change the value, or the annotation in the notebook",
                    code="E208",
                )
