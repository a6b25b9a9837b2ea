"""`mlkit plan`: what a run would do, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlkit.cli.options import (
    FilesOption,
    JsonOption,
    ParametersOption,
    PipelineArgument,
    RunsDirOption,
    StoreOption,
)

if TYPE_CHECKING:
    from mlkit.core.configuration import Configuration
    from mlkit.core.pipeline import Pipeline
    from mlkit.planner.forecast import Forecast

__all__ = ["plan"]

SIGNS = {"run": "▶ run", "reuse": "= reuse", "unknown": "? unknown"}


def plan(
    pipeline: PipelineArgument = None,
    *,
    assignments: ParametersOption = None,
    files: FilesOption = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="STAGE", help="As for run.")
    ] = None,
    only: Annotated[str | None, typer.Option("--only", metavar="STAGE", help="As for run.")] = None,
    force: Annotated[
        list[str] | None,
        typer.Option("--force", metavar="[STAGE]", help="As for run.", show_default=False),
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="As for run.")] = False,
    runs_dir: RunsDirOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Say for each stage what a run would do and why, and where each parameter comes from.

    \b
    Examples
      mlkit plan                     nothing is run
      mlkit plan -p rows=5000        what another parameter would change
    """
    from mlkit import api
    from mlkit.cli.options import layers_of, pipeline_path
    from mlkit.cli.output import print_json
    from mlkit.cli.run import ALL_STAGES
    from mlkit.driver.options import RunOptions

    loaded = api.load_pipeline(pipeline_path(pipeline))
    configuration = api.configure(loaded, layers_of(assignments, files))
    chosen: Any = bool(force) if not force or ALL_STAGES in force else frozenset(force)
    options = RunOptions(until=until, only=only, force=chosen, verify=verify, store=store)
    found = api.forecast(loaded, configuration, api.runs_folder(loaded, runs_dir), options)
    if as_json:
        print_json(_document(loaded, configuration, found))
    else:
        typer.echo(_text(loaded, configuration, found))


def _document(
    pipeline: Pipeline, configuration: Configuration, found: dict[str, Forecast]
) -> dict[str, Any]:
    from mlkit.core.graph import edges, levels
    from mlkit.core.values import plain

    return {
        "pipeline": pipeline.name,
        "stages": {
            key: {"action": item.action, "reasons": list(item.reasons)}
            for key, item in found.items()
        },
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
    }


def _text(pipeline: Pipeline, configuration: Configuration, found: dict[str, Forecast]) -> str:
    from mlkit.core.graph import edges, levels

    level = {n: i for i, names in enumerate(levels(edges(pipeline)), start=1) for n in names}
    width = max((len(key) for key in found), default=5)
    lines = [f"{pipeline.name}: {pipeline.description}".rstrip(": "), ""]
    lines.append(f"level  {'stage':<{width}}  action     why")
    for key, item in found.items():
        place = level[key.partition("[")[0]]
        lines.append(f"{place:>5}  {key:<{width}}  {SIGNS[item.action]:<9}  {item.reasons[0]}")
        lines += [f"{'':>5}  {'':<{width}}  {'':<9}  {reason}" for reason in item.reasons[1:]]
    counts = [f"{sum(i.action == a for i in found.values())} {a}" for a in SIGNS]
    lines += ["", f"{len(found)} stages: {', '.join(counts)}"]
    lines += _parameters(pipeline, configuration)
    return "\n".join(lines)


def _parameters(pipeline: Pipeline, configuration: Configuration) -> list[str]:
    rows = [
        (n, repr(b.public), b.origin, _reach(pipeline, n))
        for n, b in configuration.pipeline.items()
    ]
    for stage, values in configuration.stages.items():
        for name, bound in values.items():
            shared = configuration.pipeline.get(name)
            if shared is None or (shared.public, shared.origin) != (bound.public, bound.origin):
                rows.append((f"{stage}.{name}", repr(bound.public), bound.origin, ""))
    if not rows:
        return []
    wide = [max(len(row[i]) for row in rows) for i in (0, 1)]
    return ["", "parameters"] + [
        f"  {name:<{wide[0]}}  {value:<{wide[1]}}  {origin}{reach}"
        for name, value, origin, reach in rows
    ]


def _reach(pipeline: Pipeline, name: str) -> str:
    reached = any(name in stage.declared for stage in pipeline.stages.values())
    return "" if reached else "  (no stage declares it)"
