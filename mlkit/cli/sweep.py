"""`mlkit sweep`: one run for each combination of some parameters, and a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import typer

from mlkit import api
from mlkit.cli.output import say
from mlkit.cli.run_display import observed, observed_aside
from mlkit.cli.run_options import Given, layers_of, takes_run_options
from mlkit.cli.shared_options import (
    EnvFileOption,
    FilesOption,
    JsonOption,
    MetricsOption,
    PipelineArgument,
    RunsDirOption,
    parallel_option,
)
from mlkit.cli.sweep_display import show_sweep, sweep_code
from mlkit.cli.which_pipeline import pipeline_path
from mlkit.core.combining import UnequalListsError, drawn, product_of
from mlkit.core.combining import in_step as zipped
from mlkit.core.pipeline import Pipeline
from mlkit.core.search_space import FORMS, Choices, Range, RangeError, read_range
from mlkit.core.types import accepts, takes_texts
from mlkit.errors import ConfigurationError, UsageError
from mlkit.load.merging import types_of
from mlkit.load.parameters import parse_assignment, read_text
from mlkit.load.yaml_tree import parse_value
from mlkit.store.sweeps import Search

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
            "that holds one: NAME:='a,b',c. With --optuna also a range: NAME=1..9, "
            "'NAME=1e-4..1 log', 'NAME=0..1 step 0.1'. May be repeated.",
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
        typer.Option(
            "--seed", metavar="S", help="With --random and --optuna: another S, other runs."
        ),
    ] = None,
    optuna: Annotated[
        int | None,
        typer.Option(
            "--optuna",
            min=1,
            metavar="N",
            help="Let Optuna choose the values, N runs in all, each by what is known by then.",
        ),
    ] = None,
    maximize: Annotated[
        str | None,
        typer.Option(
            "--maximize",
            metavar="METRIC",
            help="With --optuna: the metric to raise, STAGE.NAME or NAME.",
        ),
    ] = None,
    minimize: Annotated[
        str | None,
        typer.Option("--minimize", metavar="METRIC", help="With --optuna: the metric to lower."),
    ] = None,
    parallel: Annotated[int, parallel_option("1")] = 1,
    stop_if: Annotated[
        str | None,
        typer.Option(
            "--stop-if",
            metavar="RULE",
            help="Stop hopeless runs by what they log: 'train.loss > median after 5' (steps), or "
            "'train.accuracy < 0.6 after 10'.",
        ),
    ] = None,
    metric: MetricsOption = None,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Run every combination of some parameters, and compare.

    The runs are made one after the other, or as many at once as --parallel says. What two
    combinations have in common is computed once: unchanged stages are reused. Without --metric a
    few of the numbers that differ are shown.

    With --optuna the values are not listed but searched for, in ranges and lists, so that a metric
    becomes as great (--maximize) or as small (--minimize) as it can. A run that fails is reported
    to Optuna as failed; 'mlkit resume G' goes on to N runs, and repeats none.

    The runs are a group: --name G calls them G-1, G-2, …. The same command again makes only those
    that are missing, failed or were stopped. Further values with --name G extend the group. show
    and resume take its name in place of RUN; Ctrl-C stops all of it.

    With --stop-if a run is stopped as soon as what a stage logs with mlkit.log_metric is worse
    than the rule allows; it counts as stopped early, not as failed, and is not repeated.

    \b
    Examples
      mlkit sweep -p seed=1,2,3                       three runs
      mlkit sweep -p seed=1,2 -p train.depth=3,5,8    six runs
      mlkit sweep -p seed=1,2 --metric roc_auc        and what to compare
      mlkit sweep -p lr=0.1,0.01 -p depth=3,8 --zip   two runs: the values in step
      mlkit sweep -p a=1,2,3 -p b=4,5,6 --random 4    four of the nine
      mlkit sweep --name depths -p train.depth=3,5    a group by its name
      mlkit resume depths                             what is missing of it
      mlkit sweep --optuna 40 --maximize auc -p 'lr=1e-4..1 log' -p depth=2..9
    """
    loaded = api.load_pipeline(pipeline_path(pipeline), profile=given.get("profile"))
    ways = {"--zip": in_step, "--random": draws is not None, "--optuna": optuna is not None}
    _check_ways([way for way, is_given in ways.items() if is_given], seed)
    space = _space(loaded, assignments)
    search = _search(space, optuna, maximize, minimize, seed or 0)
    lists = {} if search is not None else _lists(space)
    if search is not None:
        combinations = []
    elif in_step:
        combinations = _zipped(lists)
    else:
        combinations = product_of(lists) if draws is None else drawn(lists, draws, seed or 0)
    found, made = api.sweep(
        loaded,
        combinations,
        layers=replace(
            layers_of(None, files, env_file), origins={name: f"-p {name}" for name in space}
        ),
        options=api.run_options(given),
        runs_dir=runs_dir,
        observed=observed,
        aside=observed_aside,
        say=say,
        parallel=parallel,
        search=search,
        stop_if=stop_if,
    )
    show_sweep(found, made, metric, as_json=as_json)
    raise typer.Exit(sweep_code(made))


def _check_ways(ways: list[str], seed: int | None) -> None:
    """See that the ways to choose combinations go together."""
    if len(ways) > 1:
        raise UsageError(
            f"{' and '.join(ways)} exclude each other", remedy="Leave one out", code="E102"
        )
    if seed is not None and ways not in (["--random"], ["--optuna"]):
        raise UsageError(
            "--seed goes with --random or --optuna",
            remedy="Give --random N or --optuna N, too",
            code="E102",
        )


def _search(
    space: Mapping[str, Range | Choices],
    runs: int | None,
    maximize: str | None,
    minimize: str | None,
    seed: int,
) -> Search | None:
    """How --optuna searches; None without it."""
    metrics = [metric for metric in (maximize, minimize) if metric is not None]
    if runs is None:
        if metrics:
            raise UsageError(
                "--maximize and --minimize go with --optuna", remedy="Give --optuna N", code="E102"
            )
        return None
    if len(metrics) != 1:
        raise UsageError(
            "--optuna takes one metric, to be raised or lowered",
            remedy="Give --maximize STAGE.NAME or --minimize STAGE.NAME",
            code="E102",
        )
    return Search(
        runs=runs, metric=metrics[0], maximize=maximize is not None, seed=seed, space=space
    )


def _space(pipeline: Pipeline, assignments: list[str]) -> dict[str, Range | Choices]:
    """Read all `-p`, by name."""
    space: dict[str, Range | Choices] = {}
    for text in assignments:
        name, domain = _domain(pipeline, text)
        if name in space:
            raise UsageError(
                f"-p {name} is given twice",
                remedy=f"Write its values behind each other: -p {name}=A,B",
                code="E102",
            )
        space[name] = domain
    return space


def _domain(pipeline: Pipeline, text: str) -> tuple[str, Range | Choices]:
    """Read one `-p`: a range where a number is declared and two dots stand, else values."""
    given = parse_assignment(text, "-p seed=1,2,3")
    types = types_of(pipeline, given.name)
    if types and not given.exact and not any(map(takes_texts, types)) and "," not in given.raw:
        try:
            found = read_range(given.raw, is_int=not all(accepts(t, 0.5) for t in types))
        except RangeError as error:
            raise ConfigurationError(
                f"-p {given.name}: {error}",
                remedy=f"Write {FORMS} (quoted, for the blanks), or values: A,B",
                code="E407",
            ) from None
        if found is not None:
            return given.name, found
    name, values = _values(pipeline, text)
    return name, Choices(values=tuple(values))


def _lists(space: Mapping[str, Range | Choices]) -> dict[str, list[Any]]:
    """The values of each parameter, where all are listed."""
    for name, domain in space.items():
        if isinstance(domain, Range):
            raise UsageError(
                f"-p {name} is a range, and every value is to run",
                remedy=f"List its values, -p {name}=A,B, or search: --optuna N --maximize METRIC",
                code="E102",
            )
    return {n: list(d.values) for n, d in space.items() if isinstance(d, Choices)}


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
