"""What one output holds, over the instances of a stage and over runs, as one table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlkit.api.records import list_runs
from mlkit.api.run_tables import arranged, read_run_table
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import ArtifactRecord, RunRecord, StageRecord
from mlkit.core.states import SUCCESSFUL
from mlkit.core.suggesting import did_you_mean
from mlkit.errors import UsageError

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["artifacts_table"]

_MOST_DEPTH = 8


def artifacts_table(
    output: str,
    pipeline: Pipeline | Path | str = ".",
    *,
    filter: str | None = None,
    read: Callable[[Path], Any] | None = None,
    runs_dir: Path | str | None = None,
) -> DataFrame:
    """Give what an output holds in every run, and in every instance of a mapped stage.

    Parameters
    ----------
    output : str
        `STAGE.OUTPUT`; `STAGE[VALUE].OUTPUT` for one instance.
    pipeline : Pipeline, Path or str
        The pipeline, its pipeline.yaml, or its folder; or a runs folder.
    filter : str, optional
        Which runs: `"rows > 1000 and status == succeeded"`, as `mlkit runs --filter` takes it.
    read : callable, optional
        Makes of an artifact's path a mapping (one row), a list of mappings or a DataFrame (several
        rows). By default a JSON file gives its object, nested names with dots, or the objects of
        its list; of any other file only the path is given: `read=pandas.read_parquet`.
    runs_dir : Path or str, optional
        The runs folder, if it is not the pipeline's own.

    Returns
    -------
    DataFrame
        Its rows are those of the artifacts, the newest run first: `run`, `instance`, what the
        notebook received as parameters, what the artifact holds (under `OUTPUT.NAME` where a
        parameter has that name), and its `path`.

    Raises
    ------
    UsageError
        If no run has such an output.
    """
    import pandas as pd  # slow to import

    stage, dot, name = output.rpartition(".")
    if not dot:
        raise UsageError(f"'{output}' names no output", remedy="Write STAGE.OUTPUT")
    records = list_runs(pipeline, runs_dir=runs_dir)
    if filter is not None:
        passing = arranged(read_run_table(pipeline, runs_dir=runs_dir), filter, ())
        ids = {row.run_id for row in passing.rows}
        records = [record for record in records if record.run_id in ids]
    found = [
        row
        for record in reversed(records)
        for item, artifact in _artifacts(record, stage, name)
        for row in _rows(record, item, (name, artifact), read)
    ]
    if not found:
        known = {f"{i.stage}.{n}" for r in records for i in r.stages.values() for n in i.artifacts}
        raise UsageError(
            f"no run has an artifact '{output}'",
            remedy=did_you_mean(output, sorted(known)) or "'mlkit show RUN' lists what a run made",
        )
    table = pd.DataFrame(found)
    return table[[*(column for column in table if column != "path"), "path"]]


def _artifacts(
    record: RunRecord, stage: str, output: str
) -> Iterator[tuple[StageRecord, ArtifactRecord]]:
    for item in record.stages.values():
        if stage in (item.stage, item.id) and item.status in SUCCESSFUL:
            artifact = item.artifacts.get(output)
            if artifact is not None:
                yield item, artifact


def _rows(
    record: RunRecord,
    item: StageRecord,
    named: tuple[str, ArtifactRecord],
    read: Callable[[Path], Any] | None,
) -> Iterator[dict[str, Any]]:
    output, artifact = named
    own = {"run": record.run_id, "instance": item.id, **item.parameters}
    for content in _contents(Path(artifact.path), read):
        held = {f"{output}.{k}" if k in own or k == "path" else k: v for k, v in content.items()}
        yield {**own, **held, "path": artifact.path}


def _contents(path: Path, read: Callable[[Path], Any] | None) -> list[Mapping[str, Any]]:
    """The rows of an artifact: as they are read, or one without anything."""
    if read is None and path.suffix != ".json":
        return [{}]
    content = read(path) if read is not None else _json(path)
    if hasattr(content, "to_dict") and hasattr(content, "columns"):
        return [dict(row) for row in content.to_dict("records")]
    items = content if isinstance(content, list) else [content]
    return [
        dict(_flat(item, "", _MOST_DEPTH)) if isinstance(item, Mapping) else {"value": item}
        for item in items
    ]


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the artifact cannot be read as JSON: {error}",
            path,
            remedy="Give a function that reads it: read=…",
        ) from error


def _flat(content: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, Mapping) and depth > 1:
            yield from _flat(value, f"{prefix}{key}.", depth - 1)
        else:
            yield f"{prefix}{key}", value
