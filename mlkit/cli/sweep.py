"""`mlkit sweep`: one run for each combination of some parameters, and a comparison."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Annotated, Any

import typer

from mlkit import api
from mlkit.cli.output import print_json, say
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
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.types import takes_texts
from mlkit.errors import ConfigurationError
from mlkit.load.merging import types_of
from mlkit.load.parameters import parse_assignment, read_text
from mlkit.load.yaml_tree import parse_value
from mlkit.observe.layout import columns, fits, paragraph, terminal_width
from mlkit.reports.metrics import columns_of_metrics, numbers_by_name

__all__ = ["sweep"]

MOST_METRICS = 6


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
    metric: MetricsOption = None,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Run every combination of some parameters, and compare.

    The runs are made one after the other. What two combinations have in common is computed once:
    unchanged stages are reused. Without --metric a few of the numbers that differ are shown.

    \b
    Examples
      mlkit sweep -p seed=1,2,3                       three runs
      mlkit sweep -p seed=1,2 -p train.depth=3,5,8    six runs
      mlkit sweep -p seed=1,2 --metric roc_auc        and what to compare
    """
    loaded = api.load_pipeline(pipeline_path(pipeline), profile=given.get("profile"))
    combinations = _combinations(loaded, assignments)
    origins = {name: f"-p {name}" for values in combinations for name in values}
    layers = replace(layers_of(None, files, env_file), origins=origins)
    for values in combinations:
        api.configure_with(loaded, layers, values)
    options = api.run_options(given)
    rows: list[tuple[dict[str, Any], RunRecord, dict[str, float]]] = []
    for number, values in enumerate(combinations, start=1):
        say(f"[{number} of {len(combinations)}] {_words(values)}")
        with observed() as services:
            record = api.run(
                loaded,
                parameters=values,
                layers=layers,
                options=options,
                runs_dir=runs_dir,
                services=services,
            )
        rows.append((values, record, numbers_by_name(record, metric or ())))
        if record.status.value == "cancelled":
            raise typer.Exit(130)
    if as_json:
        print_json(
            {
                "runs": [
                    {
                        "run_id": record.run_id,
                        "parameters": values,
                        "status": record.status.value,
                        "seconds": round(record.seconds, 3),
                        "metrics": found,
                    }
                    for values, record, found in rows
                ]
            }
        )
    else:
        typer.echo(_table(rows, metric))
    raise typer.Exit(0 if all(record.ok for _, record, _ in rows) else 1)


def _combinations(pipeline: Pipeline, assignments: list[str]) -> list[dict[str, Any]]:
    lists = dict(_values(pipeline, text) for text in assignments)
    return [
        dict(zip(lists, combination, strict=True))
        for combination in itertools.product(*lists.values())
    ]


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


def _words(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in values.items())


def _table(
    rows: list[tuple[dict[str, Any], RunRecord, dict[str, float]]], chosen: list[str] | None
) -> str:
    """Runs below each other; of the metrics, those asked for or the first that differ and fit."""
    every = list(dict.fromkeys(name for _, _, found in rows for name in found))
    differing = [n for n in every if len({found.get(n) for _, _, found in rows}) > 1]
    metrics = columns_of_metrics(chosen or (), [found for _, _, found in rows])
    metrics = metrics or (differing or every)[:MOST_METRICS]
    width = terminal_width()
    while True:
        head, body = _cells(rows, metrics)
        if chosen or len(metrics) <= 1 or fits([head, *body], width, whole=(0,)):
            break
        metrics = metrics[:-1]
    text = columns(body, width, head=head, rule=True, whole=(0,))
    others = [name for name in differing or every if name not in metrics]
    return text if chosen or not others else f"{text}\n{_hint(others, width)}"


def _cells(
    rows: list[tuple[dict[str, Any], RunRecord, dict[str, float]]], metrics: list[str]
) -> tuple[list[str], list[list[str]]]:
    names = list(rows[0][0])
    body = [
        [record.run_id, record.status.value]
        + [repr(values[name]) for name in names]
        + [f"{found[name]:.4g}" if name in found else "–" for name in metrics]
        for values, record, found in rows
    ]
    return ["run", "status", *names, *metrics], body


def _hint(others: list[str], width: int) -> str:
    named = others[:MOST_METRICS]
    more = f" and {len(others) - len(named)} more" if len(others) > len(named) else ""
    return paragraph(f"Also measured (--metric NAME): {', '.join(named)}{more}", width)
