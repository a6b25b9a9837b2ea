"""`mlkit plan`: what a run would do, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from mlkit import api
from mlkit.cli.output import print_json
from mlkit.cli.run_options import Given, layers_of, takes_run_options
from mlkit.cli.shared_options import (
    EnvFileOption,
    FilesOption,
    InstancesOption,
    JsonOption,
    ParametersOption,
    PipelineArgument,
    RunsDirOption,
)
from mlkit.cli.which_pipeline import pipeline_path
from mlkit.core.configuration import Configuration
from mlkit.core.graph import edges, levels
from mlkit.core.pipeline import Pipeline
from mlkit.core.values import plain
from mlkit.load.likely_slips import likely_slips
from mlkit.observe.layout import columns, paragraph, terminal_width

if TYPE_CHECKING:
    from mlkit.planner.forecast import Forecast

__all__ = ["plan"]

SIGNS = {"run": "▶ run", "reuse": "≡ reuse", "skip": "» skip", "unknown": "? unknown"}
UNCHANGED = "nothing changed"
_MOST_NAMED = 20


@takes_run_options
def plan(
    pipeline: PipelineArgument = None,
    *,
    assignments: ParametersOption = None,
    files: FilesOption = None,
    env_file: EnvFileOption = None,
    given: Given,
    instances: InstancesOption = False,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Say what a run would do, and why; where each parameter comes from.

    Nothing is run. A stage that reads what another one will write again cannot be judged yet: if
    the new file equals the old one, the stage is reused.

    \b
    Examples
      mlkit plan                     what has changed since the last run
      mlkit plan -p rows=5000        what another parameter would change
      mlkit plan --instances         each instance on its own line
    """
    loaded = api.load_pipeline(pipeline_path(pipeline), profile=given.get("profile"))
    configuration = api.configure(loaded, layers_of(assignments, files, env_file))
    folder = api.runs_folder(loaded, runs_dir)
    found = api.forecast(loaded, configuration, folder, api.RunOptions(**given))
    if as_json:
        print_json(_document(loaded, configuration, found))
    else:
        typer.echo(_text(loaded, configuration, found, instances=instances))


def _document(
    pipeline: Pipeline, configuration: Configuration, found: dict[str, Forecast]
) -> dict[str, Any]:
    return {
        "pipeline": pipeline.name,
        "profile": None if pipeline.profile is None else pipeline.profile.name,
        "stages": {
            key: {"action": item.action, "reasons": list(item.reasons)}
            for key, item in found.items()
        },
        "warnings": likely_slips(pipeline),
        "levels": [list(level) for level in levels(edges(pipeline))],
        "parameters": {
            name: {"value": plain(bound.public), "origin": bound.origin}
            for name, bound in configuration.pipeline.items()
        },
        "stage_parameters": {
            stage: {
                name: {"value": plain(bound.public), "origin": bound.origin}
                for name, bound in values.items()
            }
            for stage, values in configuration.stages.items()
        },
        "env": {
            stage: {
                name: {"value": bound.public, "origin": bound.origin}
                for name, bound in values.items()
            }
            for stage, values in configuration.env.items()
            if values
        },
    }


def _text(
    pipeline: Pipeline,
    configuration: Configuration,
    found: dict[str, Forecast],
    *,
    instances: bool,
) -> str:
    """The plan for a terminal: what is known in a table, what hangs on it in a sentence each."""
    width = terminal_width()
    open_ends = {key for key, item in found.items() if item.waits}
    rows = _rows({k: i for k, i in found.items() if k not in open_ends}, instances=instances)
    name = pipeline.name
    if pipeline.profile is not None:
        name = f"{name} (profile {pipeline.profile.name})"
    parts = [paragraph(f"{name}: {pipeline.description}".rstrip(": "), width)]
    parts += [columns(rows, width, head=("stage", "action", "why"))] if rows else []
    parts += [
        paragraph(f"Decided once {_listed(causes)}: {', '.join(names)}", width, hanging="  ")
        for causes, names in _undecided(found, open_ends, instances=instances).items()
    ]
    parts.append(paragraph(_totals(found, open_ends), width))
    told = [*_unseen(found), *likely_slips(pipeline)]
    parts += [paragraph(line, width, hanging="  ") for line in told]
    if parameters := _parameters(pipeline, configuration):
        parts.append(f"parameters\n{columns(parameters, width, indent='  ')}")
    if env := _env(configuration):
        parts.append(f"env\n{columns(env, width, indent='  ')}")
    return "\n\n".join(parts)


def _unseen(found: dict[str, Forecast]) -> list[str]:
    """What nobody saw of the stages that are reused, a line for each set of programs."""
    stages: dict[tuple[str, ...], list[str]] = {}
    for key, item in found.items():
        if item.unseen:
            stages.setdefault(item.unseen, []).append(key)
    return [
        f"Not seen: what {', '.join(programs)} read in {', '.join(names)} (docs/promises.md)"
        for programs, names in stages.items()
    ]


def _totals(found: dict[str, Forecast], open_ends: set[str]) -> str:
    skipped = sum(item.skipped for item in found.values())
    counts = {
        "to run": sum(item.action == "run" for item in found.values()),
        "reused": sum(item.action == "reuse" for item in found.values()),
        "skipped": skipped,
        "unknown": sum(i.action == "unknown" for i in found.values()) - skipped - len(open_ends),
        "decided later": len(open_ends),
    }
    noun = "stage" if len(found) == 1 else "stages"
    return f"{len(found)} {noun}: {', '.join(f'{n} {word}' for word, n in counts.items() if n)}"


def _rows(found: dict[str, Forecast], *, instances: bool) -> list[tuple[str, str, str]]:
    """A line for each stage; instances of which the same is to be said share one."""
    stages: dict[str, list[Forecast]] = {}
    for key, item in found.items():
        stages.setdefault(key if instances else key.partition("[")[0], []).append(item)
    rows: list[tuple[str, str, str]] = []
    for name, items in stages.items():
        alike: dict[tuple[str, tuple[str, ...]], list[Forecast]] = {}
        for item in items:
            alike.setdefault((SIGNS[_action(item)], item.reasons), []).append(item)
        for (sign, reasons), group in alike.items():
            first, *more = _reasons(group, items, reasons)
            rows.append((name if len(group) > 1 else group[0].id, sign, first))
            rows += [("", "", reason) for reason in more]
    return rows


def _action(item: Forecast) -> str:
    return "skip" if item.skipped else item.action


def _reasons(
    group: list[Forecast], items: list[Forecast], reasons: tuple[str, ...]
) -> tuple[str, ...]:
    """The reasons of instances that share them, with how many they are, or which."""
    if len(group) == 1:
        return reasons
    count = f"{len(group)} of {len(items)}"
    if reasons == (UNCHANGED,):
        return (f"{count} unchanged",)
    names = f" ({_named(group)})" if group != items else ""
    return (f"{count}{names}: {reasons[0]}", *reasons[1:])


def _named(group: list[Forecast]) -> str:
    """The values of some instances, of many the first ones."""
    values = [item.values for item in group]
    more = [f"and {len(values) - _MOST_NAMED} more"] if len(values) > _MOST_NAMED else []
    return ", ".join([*values[:_MOST_NAMED], *more])


def _undecided(
    found: dict[str, Forecast], open_ends: set[str], *, instances: bool
) -> dict[tuple[str, ...], list[str]]:
    """What is decided only when certain stages have run, by those stages."""
    found_by: dict[tuple[str, ...], dict[str, int]] = {}
    causes: dict[str, tuple[str, ...]] = {}
    for key in found:
        if key in open_ends:
            causes[key] = _causes(found, causes, key)
            names = found_by.setdefault(causes[key], {})
            name = key if instances else key.partition("[")[0]
            names[name] = names.get(name, 0) + 1
    return {
        waited: [f"{name} ({count} instances)" if count > 1 else name for name, count in n.items()]
        for waited, n in found_by.items()
    }


def _causes(
    found: dict[str, Forecast], known: dict[str, tuple[str, ...]], key: str
) -> tuple[str, ...]:
    """The stages that are sure to run, or to be unknown, and on which one hangs in the end."""
    ends: list[str] = []
    for waited in found[key].waits:
        ends += known.get(waited) or (waited.partition("[")[0],)
    return tuple(dict.fromkeys(ends))


def _listed(names: tuple[str, ...]) -> str:
    if len(names) == 1:
        return f"{names[0]} has run"
    return f"{', '.join(names[:-1])} and {names[-1]} have run"


def _parameters(pipeline: Pipeline, configuration: Configuration) -> list[tuple[str, str, str]]:
    rows = [
        (n, repr(b.public), b.origin + _reach(pipeline, n))
        for n, b in configuration.pipeline.items()
    ]
    for stage, values in configuration.stages.items():
        for name, bound in values.items():
            shared = configuration.pipeline.get(name)
            if shared is None or (shared.public, shared.origin) != (bound.public, bound.origin):
                rows.append((f"{stage}.{name}", repr(bound.public), bound.origin))
    return rows


def _env(configuration: Configuration) -> list[tuple[str, str, str]]:
    """A line for each variable, and the stages that find it set so."""
    stages: dict[tuple[str, str, str], list[str]] = {}
    for stage, values in configuration.env.items():
        for name, bound in values.items():
            stages.setdefault((name, str(bound.public), bound.origin), []).append(stage)
    every = len(configuration.env)
    return [
        (name, repr(value), origin if len(at) == every else f"{origin}: {', '.join(at)}")
        for (name, value, origin), at in stages.items()
    ]


def _reach(pipeline: Pipeline, name: str) -> str:
    stages = pipeline.stages.values()
    reached = any(name in stage.declared for stage in stages)
    axes = [axis for stage in stages if stage.foreach for axis in stage.foreach.axes]
    reached = reached or any(axis.listed == name for axis in axes)
    return "" if reached else " (no stage declares it)"
