"""Runs as a table: the parameters and metrics of thousands of them, without opening their files."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlkit.api.records import as_it_stands, runs_of, up_to_date
from mlkit.core.early_stopping import STOPPED, stopped_early
from mlkit.core.intervals import Interval
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.record_views import moved
from mlkit.core.run_row import RunRow
from mlkit.core.states import RunStatus, Status
from mlkit.driver.logged import LOGGED, read_logged
from mlkit.reports.metrics import metric_tables, stage_metrics
from mlkit.reports.run_table import RunTable
from mlkit.store.folder import RunsFolder
from mlkit.store.looking import keep_metrics, known_ids, known_run, looked_at

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["arranged", "measured_by", "read_run_table", "row_of", "runs_table", "so_far"]


def runs_table(
    pipeline: Pipeline | Path | str = ".",
    *,
    columns: Sequence[str] = (),
    filter: str | None = None,
    sort: Sequence[str] | str = (),
    limit: int | None = None,
    runs_dir: Path | str | None = None,
) -> DataFrame:
    """Give the runs of a pipeline as a DataFrame: parameters and metrics as columns.

    Parameters
    ----------
    pipeline : Pipeline, Path or str
        The pipeline, its pipeline.yaml, or its folder; or a runs folder.
    columns : sequence of str
        The columns to give, such as `rows` and `evaluate.roc_auc`; all by default.
    filter : str, optional
        Which runs: `"rows > 1000 and status == succeeded"`, as `mlkit runs --filter` takes it.
    sort : str or sequence of str
        By which columns, the most important first; `-NAME` puts the greatest value first. By
        default the newest run comes first.
    limit : int, optional
        At most so many.
    runs_dir : Path or str, optional
        The runs folder, if it is not the pipeline's own.

    Returns
    -------
    DataFrame
        A row for each run, with `run` as the index. Times are `datetime64` in UTC.
    """
    import pandas as pd  # slow to import

    keys = [sort] if isinstance(sort, str) else list(sort)
    table = read_run_table(pipeline, runs_dir=runs_dir)
    table = arranged(table, filter, keys).first(limit)
    names = ["run", *(name for name in columns if name != "run")] if columns else []
    chosen = table.chosen(names) if names else table.listed
    frame = pd.DataFrame(table.to_records(names), columns=[column.key for column in chosen])
    if "started" in frame:
        frame["started"] = pd.to_datetime(frame["started"], utc=True)
    return frame.set_index("run")


def arranged(table: RunTable, condition: str | None, keys: Sequence[str]) -> RunTable:
    """The runs that pass a filter, in the order asked for."""
    if condition is not None:
        table = table.filtered(condition)
    return table.sorted_by(keys) if keys else table


def read_run_table(
    pipeline: Pipeline | Path | str = ".",
    *,
    newest: int | None = None,
    runs_dir: Path | str | None = None,
) -> RunTable:
    """Read the runs in a runs folder with their metrics, the newest first.

    Parameters
    ----------
    pipeline : Pipeline, Path or str
        The pipeline, its pipeline.yaml, or its folder; or a runs folder.
    newest : int, optional
        Only so many.
    runs_dir : Path or str, optional
        The runs folder, if it is not the pipeline's own.
    """
    folder, sharing = up_to_date(runs_dir or runs_of(pipeline))
    with looked_at(folder) as database:
        every = known_ids(folder, database)[::-1]
        wanted = every[:newest]
        asked = None if newest is None else wanted
        rows = database.run_rows(asked)
        labels = folder.labels.by_run()
        unmeasured = database.unmeasured_runs()
        told: list[RunRow] = []
        read: dict[str, Mapping[str, Mapping[str, float]]] = {}
        for run_id in wanted:
            row, record = rows.get(run_id), None
            if row is None or run_id in unmeasured or row.ended is None:
                record = known_run(folder, database, run_id)
            if record is not None:
                record = as_it_stands([moved(record, str(folder.path))], folder, sharing)[0]
                measured = measured_by(record)
                told.append(row_of(record, measured))
                if run_id in unmeasured and record.ended is not None:
                    read[run_id] = measured
            elif row is not None:
                told.append(replace(row, labels=labels[run_id]) if run_id in labels else row)
    keep_metrics(folder, read)
    return RunTable(told, len(every))


def measured_by(record: RunRecord, names: Sequence[str] = ()) -> Mapping[str, Mapping[str, float]]:
    """What the stages of a run measured, by their ids; from their files, where no record says.

    Parameters
    ----------
    record : RunRecord
        The run.
    names : sequence of str
        What is asked for by its name: `NAME`, `NAME[VALUE]` or `STAGE.NAME`. It is looked for in
        every JSON artifact.
    """
    found: dict[str, dict[str, float]] = {
        item.id: dict(stage_metrics(record, item) if item.metrics is None else item.metrics)
        for item in record.stages.values()
    }
    for table in metric_tables(record, every=True) if names else ():
        brackets = table.stage[len(record.stages[table.stage].stage) :]
        for name, number in table.numbers.items():
            if {name, name + brackets, f"{table.stage}.{name}"} & {*names}:
                found[table.stage].setdefault(name, number)
    return found


def so_far(record: RunRecord) -> RunRecord:
    """A run with what the stages have logged that are under way; one that has ended, as it is."""
    if record.status is not RunStatus.RUNNING:
        return record
    folder = RunsFolder(Path(record.runs_dir)).run(record.run_id)
    stages = dict(record.stages)
    for key, item in stages.items():
        if item.status is not Status.RUNNING:
            continue
        attempts = folder.staging(key) / "attempts"
        with contextlib.suppress(FileNotFoundError):  # it has not begun, or has just ended
            last = max((int(path.name) for path in attempts.iterdir()), default=1)
            logged = read_logged(attempts / str(last) / LOGGED)
            stages[key] = replace(item, metrics=logged.metrics, curves=logged.curves)
    return replace(record, stages=stages)


def row_of(record: RunRecord, measured: Mapping[str, Mapping[str, float]]) -> RunRow:
    """A run as a row of the table; what its stages measured comes from `measured_by`."""
    statuses = [item.status.value for item in record.stages.values()]
    interval = record.options.get("interval")
    return RunRow(
        run_id=record.run_id,
        pipeline=record.pipeline,
        status=record.status,
        started=record.started,
        ended=record.ended,
        idle_s=record.idle_s,
        said=STOPPED if stopped_early(record) else "",
        parameters=record.chosen,
        profile=str(record.options.get("profile") or ""),
        group=record.group,
        interval=str(Interval.from_json(interval)) if interval else "",
        note=record.note,
        labels=record.labels,
        metrics={f"{s}.{name}": v for s, found in measured.items() for name, v in found.items()},
        counts={status: statuses.count(status) for status in dict.fromkeys(statuses)},
    )
