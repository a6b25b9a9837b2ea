"""One entry under `stages`: from its YAML to a `Stage` that fits its notebook."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from mlkit.core.instances import MOST_INSTANCES
from mlkit.core.pipeline import Axis, Condition, Foreach, Setting, Source, Stage
from mlkit.core.pipeline_keys import keys_of
from mlkit.core.policies import Notify, Resources, Retry, Volume
from mlkit.core.triggers import TriggerRule
from mlkit.core.values import shown
from mlkit.frozen import dataclass
from mlkit.load.contract import holds_variable
from mlkit.load.declared_outputs import read_outputs
from mlkit.load.environment import VARIABLE
from mlkit.load.lists import PARAMETERS, trouble_with_values
from mlkit.load.metric_names import read_metrics
from mlkit.load.policy_fields import (
    read_notify,
    read_resources,
    read_retry,
    read_volumes,
    read_wait_for,
)
from mlkit.load.references import Lines, parse_node, parse_output, parse_source
from mlkit.load.section import OWN, Section, did_you_mean
from mlkit.load.settings import read_settings
from mlkit.load.yaml_tree import Entry

__all__ = ["STAGE_NAME", "Defaults", "read_defaults", "read_stage"]

STAGE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_FILLED_IN = frozenset({"parameters", "env", "inputs", "notify"})
"""Where a variable of the environment may stand."""


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """The policies that every stage inherits."""

    retry: Retry = field(default_factory=Retry)
    timeout_s: float | None = None
    trigger: TriggerRule = TriggerRule.ALL_SUCCESS
    cache: bool | None = None
    critical: bool = True
    depends_on_past: bool = False
    notify: Notify = field(default_factory=Notify)
    resources: Resources = field(default_factory=Resources)
    image: str | None = None
    volumes: Mapping[str, Volume] = field(default_factory=dict)


def read_defaults(section: Section | None, inherited: Defaults | None = None) -> Defaults:
    """Read `defaults`; what they leave out is inherited, as a profile does from the pipeline."""
    known = inherited or Defaults()
    return known if section is None else Defaults(**_policies(section, known))


def _policies(section: Section, inherited: Defaults) -> dict[str, Any]:
    _refuse_variables(section)
    timeout = section.duration("timeout")
    if timeout == 0:
        section.fail("'timeout' must be longer than 0", section.line_of("timeout"), code="E202")
    cache = section.boolean("cache")
    critical = section.boolean("critical")
    past = section.boolean("depends_on_past")
    return {
        "retry": read_retry(section.section("retry"), inherited.retry),
        "timeout_s": inherited.timeout_s if timeout is None else timeout,
        "trigger": section.choice("trigger", TriggerRule, TriggerRule) or inherited.trigger,
        "cache": inherited.cache if cache is None else cache,
        "critical": inherited.critical if critical is None else critical,
        "depends_on_past": inherited.depends_on_past if past is None else past,
        "notify": read_notify(section.section("notify"), inherited.notify),
        "resources": read_resources(section.section("resources"), inherited.resources),
        "image": section.text("image") or inherited.image,
        "volumes": {**inherited.volumes, **read_volumes(section.section("volumes"))},
    }


def _refuse_variables(section: Section) -> None:
    """Refuse `${NAME}` where nothing fills it in: it would be waited for, or written, as it stands.

    A name under `x-` is the user's own.
    """
    for key, entry in section.entries.items():
        if key in _FILLED_IN or key.startswith(OWN):
            continue
        for item in entry.scalars():
            if isinstance(item.value, str) and VARIABLE.search(item.value):
                section.fail(
                    f"'{key}' holds {shown(item.value)}, and a variable of the environment is "
                    "filled in under parameters, env and notify and in file: paths only",
                    item.line,
                    "Map over a list parameter of the pipeline, whose values may hold it: "
                    f"NAME: {PARAMETERS}.NAME"
                    if key == "foreach"
                    else "Write the value itself",
                    code="E202",
                )


def read_stage(
    name: str,
    section: Section,
    defaults: Defaults,
    parameters: Mapping[str, Any],
    env: Mapping[str, Setting],
) -> tuple[Stage, Lines]:
    """Read one stage; its references and its notebook are checked later.

    Parameters
    ----------
    name : str
        The stage's name.
    section : Section
        What stands below it.
    defaults : Defaults
        The policies that it inherits.
    parameters : mapping of str to object
        The pipeline's parameters; some may be lists that it maps over.
    env : mapping of str to Setting
        The variables that the pipeline sets.

    Returns
    -------
    Stage
        Without its declarations.
    Lines
        Where its references stand.
    """
    section.allow(keys_of("stage"), {"to the pipeline, beside 'stages'": keys_of("pipeline")})
    if not STAGE_NAME.fullmatch(name):
        section.fail(
            "a stage's name holds letters, digits, '_' and '-' only, no digit first", code="E202"
        )
    if name == PARAMETERS:
        section.fail(
            f"a stage cannot be called '{PARAMETERS}'",
            remedy=f"'{PARAMETERS}.NAME' is a parameter of the pipeline; choose another name",
            code="E202",
        )
    folder = section.file.parent
    lines: dict[str, int] = {}
    notebook = section.text("notebook")
    if not notebook:
        section.fail(
            "'notebook' is missing",
            remedy="Name the stage's notebook, relative to this file",
            code="E203",
        )
    policies = _policies(section, defaults)
    outputs = read_outputs(section)
    policies["cache"] = bool(outputs) if policies["cache"] is None else policies["cache"]
    stage = Stage(
        name=name,
        notebook=folder / notebook,
        parameters=_plain(section.section("parameters")),
        inputs=_inputs(section, folder, lines),
        outputs=outputs,
        after=_after(section, lines),
        when=_when(section, lines),
        foreach=_foreach(section, lines, parameters),
        wait_for=read_wait_for(section.section("wait_for"), folder),
        env={**env, **read_settings(section.section("env"))},
        metrics=read_metrics(section.section("metrics"), outputs),
        line=section.line,
        **policies,
    )
    return stage, Lines(of=lines)


def _plain(section: Section | None) -> dict[str, Any]:
    if section is None:
        return {}
    return {key: entry.plain() for key, entry in section.entries.items()}


def _inputs(section: Section, folder: Path, lines: dict[str, int]) -> dict[str, Source]:
    inner = section.section("inputs")
    found: dict[str, Source] = {}
    for name, entry in ({} if inner is None else inner.entries).items():
        found[name] = parse_source(section, entry, folder)
        lines[str(found[name])] = entry.line
    return found


def _after(section: Section, lines: dict[str, int]) -> tuple[Any, ...]:
    nodes = []
    for entry in section.texts("after") or ():
        node = parse_node(section, entry)
        lines.setdefault(str(node), entry.line)
        nodes.append(node)
    return tuple(nodes)


def _when(section: Section, lines: dict[str, int]) -> tuple[Condition, ...]:
    inner = section.section("when")
    conditions = []
    for reference, entry in ({} if inner is None else inner.entries).items():
        source = parse_output(section, reference, entry.line, "Write STAGE.OUTPUT: VALUE")
        lines[str(source)] = entry.line
        values = entry.plain() if isinstance(entry.value, tuple) else [entry.plain()]
        conditions.append(Condition(source=source, values=tuple(values)))
    return tuple(conditions)


def _foreach(
    section: Section, lines: dict[str, int], parameters: Mapping[str, Any]
) -> Foreach | None:
    inner = section.section("foreach")
    if inner is None:
        return None
    if not inner.entries:
        inner.fail("it names no parameter", remedy="Write foreach: {NAME: [VALUE, …]}", code="E203")
    foreach = Foreach(
        axes=tuple(
            _axis(inner, name, entry, lines, parameters) for name, entry in inner.entries.items()
        )
    )
    size = foreach.size
    if len(foreach.axes) > 1 and size is not None and size > MOST_INSTANCES:
        factors = " × ".join(str(len(axis.values or ())) for axis in foreach.axes)
        inner.fail(
            f"{factors} are {size:,} instances, and a product may have {MOST_INSTANCES:,}",
            remedy="Map over fewer values, or do a part of the work within the notebook",
            code="E210",
        )
    return foreach


def _axis(
    section: Section,
    name: str,
    entry: Entry,
    lines: dict[str, int],
    parameters: Mapping[str, Any],
) -> Axis:
    if isinstance(entry.value, str):
        word, dot, listed = entry.value.partition(".")
        if word == PARAMETERS and dot:
            return _listed(section, name, listed, entry.line, parameters)
        remedy = _listed_as(name, entry.value, parameters)
        source = parse_output(section, entry.value, entry.line, remedy)
        lines[str(source)] = entry.line
        return Axis(parameter=name, source=source)
    if not isinstance(entry.value, tuple):
        section.fail(
            f"'{name}' is {shown(entry.plain())}, and a list is needed",
            entry.line,
            _listed_as(name, None, parameters),
            code="E210",
        )
    values = tuple(item.plain() for item in entry.value)
    trouble = trouble_with_values(values)
    if trouble is not None:
        section.fail(trouble.fact, entry.value[trouble.place].line, trouble.remedy, code="E210")
    return Axis(parameter=name, values=values)


def _listed_as(name: str, text: str | None, parameters: Mapping[str, Any]) -> str:
    """How the list is written that a parameter maps over; the pipeline's own one by its name."""
    if text in parameters:
        return f"The pipeline's parameter is written {name}: {PARAMETERS}.{text}"
    return f"Write {name}: [VALUE, …], STAGE.OUTPUT of a JSON list, or {PARAMETERS}.NAME"


def _listed(
    section: Section, name: str, listed: str, line: int, parameters: Mapping[str, Any]
) -> Axis:
    """An axis over a parameter of the pipeline; a variable in it is filled in by a run only."""
    if listed not in parameters:
        section.fail(
            f"the pipeline has no parameter '{listed}'",
            line,
            did_you_mean(listed, parameters),
            code="E205",
        )
    values = parameters[listed]
    if holds_variable(values):
        return Axis(parameter=name, listed=listed)
    if not isinstance(values, list):
        section.fail(
            f"'{PARAMETERS}.{listed}' is {shown(values)}, and '{name}' needs a list",
            line,
            f"Write {listed}: [VALUE, …] under 'parameters'",
            code="E210",
        )
    trouble = trouble_with_values(values)
    if trouble is not None:
        section.fail(f"'{PARAMETERS}.{listed}': {trouble.fact}", line, trouble.remedy, code="E210")
    return Axis(parameter=name, values=tuple(values), listed=listed)
