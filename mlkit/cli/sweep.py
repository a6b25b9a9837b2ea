"""`mlkit sweep`: one run for each combination of some parameters, and a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import typer

from mlkit import api
from mlkit.cli.output import say
from mlkit.cli.run_display import observed
from mlkit.cli.run_options import Given, layers_of, takes_run_options
from mlkit.cli.shared_options import (
    EnvFileOption,
    FilesOption,
    JsonOption,
    MetricsOption,
    PipelineArgument,
    RunsDirOption,
    pipeline_path,
)
from mlkit.cli.sweep_display import show_sweep, sweep_code
from mlkit.core.combining import UnequalListsError, drawn, product_of
from mlkit.core.combining import in_step as zipped
from mlkit.core.pipeline import Pipeline
from mlkit.core.types import takes_texts
from mlkit.errors import ConfigurationError, UsageError
from mlkit.load.merging import types_of
from mlkit.load.parameters import parse_assignment, read_text
from mlkit.load.yaml_tree import parse_value

__all__ = ["sweep"]


@takes_run_options
def sweep(
    pipeline: PipelineArgument = None,
    *,
    assignments: Annotated[
        list[str],
        typer.Option(
            "-p",
            metavar="NAME=A,B,C",
            help="A parameter and its values; one value fixes it. Texts are cut at commas; a text "
            "that holds one: NAME:='a,b',c. May be repeated.",
        ),
    ],
    files: FilesOption = None,
    env_file: EnvFileOption = None,
    given: Given,
    in_step: Annotated[
        bool,
        typer.Option(
            "--zip", help="The first values together, the second ones, …; not every combination."
        ),
    ] = False,
    draws: Annotated[
        int | None,
        typer.Option(
            "--random", min=1, metavar="N", help="Only N combinations, drawn at random, each once."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="S", help="With --random: another S, other draws."),
    ] = None,
    metric: MetricsOption = None,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Run every combination of some parameters, and compare.

    The runs are made one after the other. What two combinations have in common is computed once:
    unchanged stages are reused. Without --metric a few of the numbers that differ are shown.

    The runs are a group: --name G calls them G-1, G-2, …. The same command again makes only those
    that are missing or have not succeeded, and further values with --name G extend the group. It
    stands where RUN does in show and resume; Ctrl-C stops all of it.

    \b
    Examples
      mlkit sweep -p seed=1,2,3                       three runs
      mlkit sweep -p seed=1,2 -p train.depth=3,5,8    six runs
      mlkit sweep -p seed=1,2 --metric roc_auc        and what to compare
      mlkit sweep -p lr=0.1,0.01 -p depth=3,8 --zip   two runs: the values in step
      mlkit sweep -p a=1,2,3 -p b=4,5,6 --random 4    four of the nine
      mlkit sweep --name depths -p train.depth=3,5    a group by its name
      mlkit resume depths                             what is missing of it
    """
    loaded = api.load_pipeline(pipeline_path(pipeline), profile=given.get("profile"))
    if (seed is not None and draws is None) or (in_step and draws is not None):
        raise UsageError(
            "--seed goes with --random"
            if draws is None
            else "--zip and --random exclude each other",
            remedy="Give --random N, too" if draws is None else "Leave one out",
            code="E102",
        )
    lists: dict[str, list[Any]] = {}
    for name, values in (_values(loaded, text) for text in assignments):
        if name in lists:
            raise UsageError(
                f"-p {name} is given twice",
                remedy=f"Write its values behind each other: -p {name}=A,B",
                code="E102",
            )
        lists[name] = values
    if in_step:
        combinations = _zipped(lists)
    else:
        combinations = product_of(lists) if draws is None else drawn(lists, draws, seed or 0)
    found, made = api.sweep(
        loaded,
        combinations,
        layers=replace(
            layers_of(None, files, env_file), origins={name: f"-p {name}" for name in lists}
        ),
        options=api.run_options(given),
        runs_dir=runs_dir,
        observed=observed,
        say=say,
    )
    show_sweep(found, made, metric, as_json=as_json)
    raise typer.Exit(sweep_code(made))


def _zipped(lists: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    try:
        return zipped(lists)
    except UnequalListsError as error:
        raise UsageError(
            f"--zip: {error}", remedy="Give lists of one length, or single values"
        ) from None


def _values(pipeline: Pipeline, text: str) -> tuple[str, list[Any]]:
    """Read one `-p`: texts are cut at commas and stand as they are, other values are YAML."""
    example = "-p seed=1,2,3"
    given = parse_assignment(text, example)
    name, place = given.name, f"-p {given.name}"
    types = types_of(pipeline, name)
    if not given.exact and types and all(map(takes_texts, types)):
        return name, [read_text(pipeline, name, part, place) for part in given.raw.split(",")]
    values = parse_value(f"[{given.raw}]", ConfigurationError, place)
    if not values:
        raise ConfigurationError(
            f"{place}: there is no value", remedy=f"Write {example}", code="E407"
        )
    return name, values
