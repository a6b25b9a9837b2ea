"""The text of a flow: its parameters, and how it submits the tasks."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mlkit.core.instances import Table, instance_id
from mlkit.core.logical_date import LOGICAL_DATE
from mlkit.core.pipeline import Node, Pipeline, Stage, gives_list
from mlkit.core.triggers import TriggerRule
from mlkit.core.types import TypeSpec
from mlkit.engines.prefect.names import FlowNames, flow_order, shown_name
from mlkit.engines.python_text import (
    assign,
    call,
    decorate,
    listing,
    literal,
    mapping,
    value,
    write,
)
from mlkit.engines.questions import EARLY, listed_instances, listed_labels, shown_parameters

__all__ = ["flow_text"]

_OWN = ("run_id", LOGICAL_DATE)
ALL_VALUES: Mapping[str, str] = MappingProxyType({})
"""A stage as a whole: what is the same value as its own means each."""


def flow_text(
    pipeline: Pipeline,
    names: FlowNames,
    specs: Mapping[str, TypeSpec | None],
    given: Mapping[str, Any],
) -> str:
    """Write the flow's function.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    names : FlowNames
        What everything is called.
    specs : mapping of str to TypeSpec
        The flow's parameters and their types.
    given : mapping of str to object
        Defaults in place of the pipeline's own.
    """
    shown = shown_parameters(pipeline, given)
    defaults = {name: shown[name] for name in specs}
    signature = [_parameter(name, specs[name], value) for name, value in defaults.items()]
    signature += [f"{n}: str | None = None" for n in _OWN if n not in specs]
    head = call(names.flow, *signature)
    arguments = [f"name={literal(shown_name(pipeline))}"]
    if pipeline.description:
        arguments.append(f"description={literal(pipeline.description)}")
    passed = [name for name in defaults if name not in _OWN]
    lines = [
        decorate(call("flow", *arguments)),
        write(head, before="def ", after=":"),
        _opening(mapping({name: name for name in passed})),
    ]
    for stage in flow_order(pipeline):
        lines += _submission(pipeline, stage, names)
    return "\n".join([*lines, write(_outcome(pipeline, names), before="return ", indent=1)])


def _opening(parameters: str) -> str:
    own = {"run_id": "run_id", "logical_date": "logical_date"}
    return assign("run", call("Run", "PIPELINE", **own, parameters=parameters), indent=1)


def _parameter(name: str, spec: TypeSpec | None, default: Any) -> str:
    kind = annotation(spec)
    if kind is None:
        return f"{name}={value(default)}"
    if default is None and "None" not in kind:
        kind += " | None"
    return f"{name}: {kind} = {value(default)}"


def annotation(spec: TypeSpec | None) -> str | None:
    """Write a type as Prefect can check it; None if anything goes."""
    if spec is None or spec.kind in ("any", "Secret"):
        return None
    if spec.kind == "Path":
        return "str"
    if spec.kind == "literal":
        return "str" if all(isinstance(choice, str) for choice in spec.choices) else None
    members = [annotation(member) for member in spec.members]
    if None in members:
        return None if spec.kind == "union" else spec.kind
    named = [member for member in members if member is not None]
    if spec.kind == "union":
        return " | ".join(dict.fromkeys(named))
    return f"{spec.kind}[{', '.join(named)}]" if named else spec.kind


def _submission(pipeline: Pipeline, stage: Stage, names: FlowNames) -> list[str]:
    own = names.stages[stage.name]
    upstream = _given(pipeline, stage, names)
    lines = []
    if stage.wait_for is not None:
        lines.append(assign(own.arrival, call(f"{own.waiting}.submit", "run", upstream), indent=1))
        upstream = call("given", mapping({"file": own.arrival}))
    if stage.foreach is None:
        return [*lines, assign(own.future, call(f"{own.task}.submit", "run", upstream), indent=1)]
    known = listed_labels(stage)
    values: str = own.values
    if known is not None:
        # without values one task is left, for which others wait: mlkit says that it is skipped
        values = listing(map(literal, known) if known else ["NO_VALUE"])
    else:
        lines.append(assign(own.values, _labels(pipeline, stage, names), indent=1))
    handed = call("unmapped", upstream)
    if stage.is_chained and known:
        each = listed_instances(stage) or []
        handed = listing(_given(pipeline, stage, names, instance.labels) for instance in each)
    elif stage.is_chained and known is None:
        handed = f"[{_given(pipeline, stage, names)} for value in {values}]"
    mapped = call(f"{own.task}.map", "unmapped(run)", values, handed)
    return [*lines, assign(own.future, mapped, indent=1)]


def _labels(pipeline: Pipeline, stage: Stage, names: FlowNames) -> str:
    foreach = stage.foreach
    assert foreach is not None
    assert foreach.source is not None
    source = foreach.source
    kind = stage.type_of_values(foreach.parameter).kind
    convert = {"float": "float", "date": "date.fromisoformat", "datetime": "datetime.fromisoformat"}
    arguments = [_future(pipeline, source.node, names), literal(source.output)]
    arguments += [convert[kind]] if kind in convert else []
    return call("labels", *arguments)


def _given(
    pipeline: Pipeline, stage: Stage, names: FlowNames, own: Mapping[str, str] = ALL_VALUES
) -> str:
    """The futures that a task, or one for an instance with some values, waits for and looks at."""
    futures = {}
    for node in stage.upstream:
        future = _future(pipeline, node, names, own)
        if node not in stage.data_upstream:
            if stage.trigger is TriggerRule.ALWAYS:
                continue
            future = f"early({future})" if stage.trigger in EARLY else future
        futures[str(node)] = future
    return call("given", mapping(futures))


def _future(
    pipeline: Pipeline, node: Node, names: FlowNames, own: Mapping[str, str] = ALL_VALUES
) -> str:
    theirs, stage = names.stages[node.stage], pipeline.stages[node.stage]
    wanted = node.wanted(own)
    if node.is_chained and stage.foreach is not None and stage.foreach.size is None:
        return f"picked({theirs.future}, {theirs.values}, value)"
    known = None if stage.foreach is None else listed_labels(stage)
    if not wanted or stage.foreach is None or known == []:
        return theirs.future
    if known is None:
        return f"picked({theirs.future}, {theirs.values}, {literal(','.join(wanted.values()))})"
    ids = [instance_id(stage.name, [label]) for label in known]
    meant = Table(stage.name, stage.foreach.parameters, ids).matching(wanted)
    places = [f"{theirs.future}[{ids.index(key)}]" for key in meant]
    return listing(places) if gives_list(node, pipeline.stages) else places[0]


def _outcome(pipeline: Pipeline, names: FlowNames) -> str:
    def listed(*, critical: bool) -> str:
        chosen = []
        for stage in pipeline.stages.values():
            own = names.stages[stage.name]
            if stage.critical is critical:
                chosen += [own.future] if stage.wait_for is None else [own.arrival, own.future]
        return listing(chosen)

    others = listed(critical=False)
    return call("outcome", listed(critical=True), *([others] if others != "[]" else []))
