"""Metrics: numbers that stages wrote as JSON, and how those of a mapped stage compare."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import SUCCESSFUL
from mlkit.frozen import dataclass

__all__ = [
    "LOGGED",
    "METRICS",
    "MetricGroup",
    "MetricTable",
    "compare_instances",
    "declared_metrics",
    "measured",
    "metric_tables",
    "missing_metrics",
    "number_of",
    "numbers_by_name",
    "read_numbers",
    "stage_metrics",
]

METRICS = "metrics"
"""The output whose numbers are metrics."""

LOGGED = "logged"
"""Stands for an output where a notebook has called `mlkit.log_metric`."""


_MOST_BYTES = 1_000_000
_MOST_NUMBERS = 40
_DEPTH = 3
_LARGEST = 1e300


@dataclass(frozen=True, kw_only=True)
class MetricTable:
    """The numbers in one JSON artifact, with dotted names where they were nested."""

    stage: str
    output: str
    numbers: Mapping[str, float]
    left_out: int = 0


@dataclass(frozen=True, kw_only=True)
class MetricGroup:
    """One metric that several instances of a mapped stage wrote, in the order of `foreach`."""

    stage: str
    output: str
    metric: str
    values: tuple[tuple[str, float], ...]

    @property
    def varies(self) -> bool:
        """Whether there is anything to compare."""
        return len({value for _, value in self.values}) > 1


def read_numbers(path: Path, depth: int = _DEPTH) -> dict[str, float]:
    """Read the numbers (no nan, no inf) of a JSON object; anything else gives none.

    Parameters
    ----------
    path : Path
        A JSON file; files above 1 MB and files that are no JSON object are passed over.
    depth : int
        How many mappings deep a number may stand.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            return {}
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return dict(_flatten(content, "", depth)) if isinstance(content, dict) else {}


def _flatten(content: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, float]]:
    for key, value in content.items():
        if isinstance(value, dict) and depth > 1:
            yield from _flatten(value, f"{prefix}{key}.", depth - 1)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            continue
        elif abs(value) < _LARGEST:
            yield f"{prefix}{key}", value


def metric_tables(record: RunRecord, *, every: bool = False) -> tuple[MetricTable, ...]:
    """Give the metrics of the stages that succeeded.

    They are the numbers that pipeline.yaml names under a stage's `metrics`, by those names; of a
    stage that names none, those in its outputs called `metrics`. There a number that only repeats
    a parameter, such as `seed`, measures nothing and is left out.

    Parameters
    ----------
    record : RunRecord
        The run; the files are read where it says they are.
    every : bool
        Give the numbers of every JSON artifact, parameters too: for who asks for one by its name.
    """
    return tuple(
        table for item in record.stages.values() for table in _tables(record, item, every=every)
    )


def stage_metrics(record: RunRecord, item: StageRecord) -> dict[str, float]:
    """Give the metrics of one stage by their names, its files read; see `metric_tables`."""
    return {n: v for table in _tables(record, item) for n, v in table.numbers.items()}


def _tables(record: RunRecord, item: StageRecord, *, every: bool = False) -> Iterator[MetricTable]:
    """A table for each output of a stage that holds metrics, and one of what it logged."""
    if item.status not in SUCCESSFUL:
        return
    found = list(_tables_of_files(record, item, every=every))
    yield from found
    told = {name for table in found for name in table.numbers}
    rest = {name: value for name, value in (item.metrics or {}).items() if name not in told}
    if rest:
        yield MetricTable(stage=item.id, output=LOGGED, numbers=rest)


def _tables_of_files(record: RunRecord, item: StageRecord, *, every: bool) -> Iterator[MetricTable]:
    named = declared_metrics(record, item)
    if named and not every:
        yield from _named_tables(item, named)
        return
    for output, artifact in item.artifacts.items():
        if not artifact.path.endswith(".json") or not (every or output == METRICS):
            continue
        measured = {
            name: number
            for name, number in read_numbers(Path(artifact.path)).items()
            if every or not _repeats(name, number, record.parameters, item.parameters)
        }
        if measured:
            most = len(measured) if every else _MOST_NUMBERS
            kept = dict(list(measured.items())[:most])
            left_out = len(measured) - len(kept)
            yield MetricTable(stage=item.id, output=output, numbers=kept, left_out=left_out)


def declared_metrics(record: RunRecord, item: StageRecord) -> Mapping[str, str]:
    """What pipeline.yaml called metrics of a stage when the run began: name to `OUTPUT.KEY`."""
    named: Mapping[str, str] = record.options.get("metrics", {}).get(item.stage, {})
    return named


def missing_metrics(item: StageRecord, named: Mapping[str, str]) -> list[str]:
    """Give the names of metrics that do not stand as a number where pipeline.yaml says.

    Parameters
    ----------
    item : StageRecord
        A stage that has its artifacts.
    named : mapping of str to str
        Its metrics: name to `OUTPUT.KEY`.
    """
    found = {name for table in _named_tables(item, named) for name in table.numbers}
    outputs = {place.partition(".")[0] for place in named.values()}
    there = {output for output in outputs if output in item.artifacts}
    return [
        name
        for name, place in named.items()
        if name not in found and place.partition(".")[0] in there
    ]


def _named_tables(item: StageRecord, named: Mapping[str, str]) -> list[MetricTable]:
    """The metrics of a stage by their names, a table for each output that holds some."""
    tables: dict[str, dict[str, float]] = {}
    read: dict[str, dict[str, float]] = {}
    for name, place in named.items():
        output, _, key = place.partition(".")
        if output not in item.artifacts:
            continue
        if output not in read:
            read[output] = read_numbers(Path(item.artifacts[output].path), depth=key.count(".") + 8)
        if key in read[output]:
            tables.setdefault(output, {})[name] = read[output][key]
    return [
        MetricTable(stage=item.id, output=output, numbers=numbers)
        for output, numbers in tables.items()
    ]


def _repeats(name: str, number: float, *parameters: Mapping[str, Any]) -> bool:
    """Whether a number is a parameter's value under the parameter's name."""
    bare = name.rpartition(".")[2]
    return any(bare in given and given[bare] == number for given in parameters)


def numbers_by_name(record: RunRecord, names: Sequence[str] = ()) -> dict[str, float]:
    """Give a run's metrics by their names; those that are asked for from any JSON artifact.

    What an instance of a mapped stage measured is called `NAME[VALUE]`: no instance speaks for all.
    Where several stages measure one name, the last one's number counts.
    """
    named = _by_name(record, metric_tables(record))
    if all(_named_so(name, named) for name in names):
        return named
    every = _by_name(record, metric_tables(record, every=True))
    asked = {key: every[key] for name in names for key in _named_so(name, every)}
    return {**asked, **named}


def number_of(record: RunRecord, name: str) -> float | None:
    """Give one metric of a run by `STAGE.NAME` or `NAME`; None if the run has not measured it."""
    for every in (False, True):
        tables = metric_tables(record, every=every)
        for table in tables:
            for bare, number in table.numbers.items():
                if name == f"{table.stage}.{bare}":
                    return number
        found = _by_name(record, tables)
        if name in found:
            return found[name]
    return None


def measured(record: RunRecord) -> list[str]:
    """The names, `STAGE.NAME`, of all that a run has measured."""
    return [f"{table.stage}.{name}" for table in metric_tables(record) for name in table.numbers]


def _by_name(record: RunRecord, tables: Iterable[MetricTable]) -> dict[str, float]:
    owner = {item.id: item.stage for item in record.stages.values()}
    whole: dict[str, float] = {}
    instances: dict[str, float] = {}
    for table in tables:
        brackets = table.stage.removeprefix(owner[table.stage])
        for name, number in table.numbers.items():
            (instances if brackets else whole)[name + brackets] = number
    return {**whole, **instances}


def _named_so(name: str, known: Iterable[str]) -> list[str]:
    """The one of exactly that name; without it, those of the instances."""
    every = list(known)
    return [name] if name in every else [key for key in every if key.startswith(f"{name}[")]


def compare_instances(record: RunRecord) -> tuple[MetricGroup, ...]:
    """Group what at least two instances of one mapped stage measured under one name."""
    owner = {item.id: item.stage for item in record.stages.values()}
    found: dict[tuple[str, str, str], list[tuple[str, float]]] = {}
    for table in metric_tables(record):
        stage = owner[table.stage]
        if table.stage != stage:
            value = table.stage[len(stage) + 1 : -1]
            for metric, number in table.numbers.items():
                found.setdefault((stage, table.output, metric), []).append((value, number))
    return tuple(
        MetricGroup(stage=stage, output=output, metric=metric, values=tuple(values))
        for (stage, output, metric), values in found.items()
        if len(values) > 1
    )
