"""The parts of a run's report, prepared from the record and the files that it names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlkit.core.durations import format_duration
from mlkit.core.record import ArtifactRecord, AttemptRecord, ErrorRecord, RunRecord, StageRecord
from mlkit.core.states import Status
from mlkit.core.values import safe_name, shown
from mlkit.frozen import dataclass
from mlkit.observe.signs import SIGNS, Sign
from mlkit.reports.ansi import ansi_to_html
from mlkit.reports.notebook_view import (
    NotebookView,
    highlight,
    numbered,
    own_cells,
    read_notebook,
    view_notebook,
)
from mlkit.reports.output_view import Budget, cut, joined

__all__ = [
    "FailureView",
    "RetryView",
    "StageView",
    "format_size",
    "format_time",
    "parameter_rows",
    "retries",
    "stage_folder",
    "tail_of",
    "view_failure",
    "view_stages",
]

_LOG_BYTES, _LOG_LINES = 16_000, 40


@dataclass(frozen=True, kw_only=True)
class FailureView:
    """Why a stage failed; cell, traceback and log are safe HTML."""

    error: str
    message: str
    cell: str = ""
    place: str = ""
    traceback: str = ""
    log: str = ""
    log_file: str = ""
    command: str = ""


@dataclass(frozen=True, kw_only=True)
class OutputFile:
    """One artifact, in the words of the stage table."""

    name: str
    file: str
    size: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class RetryView:
    """One attempt of a stage that needed several."""

    stage: str
    number: int
    sign: Sign
    status: str
    waited: str
    took: str
    error: str


@dataclass(frozen=True, kw_only=True)
class StageView:
    """One row of the stage table, with its notebook and its failure."""

    anchor: str
    id: str
    sign: Sign
    status: str
    critical: bool
    attempts: int
    took: str
    cpu: str
    memory: str
    reason: str
    task: str
    outputs: tuple[OutputFile, ...]
    absent: tuple[str, ...]
    parameters: tuple[tuple[str, str], ...]
    notebook: NotebookView | None
    failure: FailureView | None


def format_size(size_bytes: float) -> str:
    """Write a number of bytes for people: `999 B`, `1.2 kB`, `3.4 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000 or unit == "GB":
            return f"{size_bytes:.0f} B" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    raise AssertionError("the last unit takes every size")


def format_time(seconds: float) -> str:
    """Write a time stamp as date and time in UTC."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def stage_folder(record: RunRecord, stage_id: str) -> Path:
    """Give the folder of a stage in a run's folder."""
    return Path(record.runs_dir) / record.run_id / safe_name(stage_id)


def _value(value: object) -> str:
    return value if isinstance(value, str) else shown(value)


def parameter_rows(record: RunRecord) -> tuple[tuple[str, str, str], ...]:
    """Give each parameter's name, value, and where it came from, if that was recorded."""
    sources = record.options.get("parameter_sources") or {}
    return tuple(
        (name, cut(_value(value))[0], str(sources.get(name, "")))
        for name, value in record.chosen.items()
    )


def view_stages(
    record: RunRecord, commands: Mapping[str, str], budget: Budget
) -> tuple[StageView, ...]:
    """Prepare every stage.

    Parameters
    ----------
    record : RunRecord
        The run.
    commands : mapping of str to str
        For each failed stage the command that opens it.
    budget : Budget
        What pictures may bring into the page.
    """
    return tuple(
        _stage(record, item, f"stage-{index}", commands.get(item.id, ""), budget)
        for index, item in enumerate(record.stages.values(), start=1)
    )


def _stage(
    record: RunRecord, item: StageRecord, anchor: str, command: str, budget: Budget
) -> StageView:
    cpu = [a.cpu_s for a in item.history if a.cpu_s is not None]
    memory = [a.peak_memory_bytes for a in item.history if a.peak_memory_bytes is not None]
    content = _notebook(record, item)
    failed = item.status is Status.FAILED
    return StageView(
        anchor=anchor,
        id=item.id,
        sign=SIGNS[item.status],
        status=item.status.value,
        critical=item.critical,
        attempts=item.attempts,
        took=format_duration(item.seconds) if item.history else "",
        cpu=f"{sum(cpu):.1f} s" if cpu else "",
        memory=format_size(max(memory)) if memory else "",
        reason=item.reason,
        task=item.engine_task or "",
        outputs=tuple(_file(name, artifact) for name, artifact in item.artifacts.items()),
        absent=item.absent,
        parameters=tuple((k, cut(_value(v))[0]) for k, v in item.parameters.items()),
        notebook=view_notebook(content, item.id, budget) if content is not None else None,
        failure=view_failure(record, item, command) if failed else None,
    )


def _file(name: str, artifact: ArtifactRecord) -> OutputFile:
    return OutputFile(
        name=name,
        file=Path(artifact.path).name,
        size=format_size(artifact.size_bytes),
        digest=artifact.digest,
    )


def _attempt_folder(record: RunRecord, item: StageRecord) -> Path:
    return stage_folder(record, item.id) / "attempts" / str(max(1, item.attempts))


def _notebook(record: RunRecord, item: StageRecord) -> dict[str, object] | None:
    """The stage's executed notebook; of a stage that failed, its last attempt's."""
    own = stage_folder(record, item.id) / "notebook.ipynb"
    last = _attempt_folder(record, item) / "notebook.ipynb"
    places = (last, own) if item.status is Status.FAILED else (own, last)
    return next((found for path in places if (found := read_notebook(path)) is not None), None)


def view_failure(record: RunRecord, item: StageRecord, command: str = "") -> FailureView:
    """Prepare why a stage failed: its error, the cell, the traceback, the end of its log."""
    error = item.error or ErrorRecord(type="Failure", message=item.reason)
    log_file = _attempt_folder(record, item) / "log.txt"
    return FailureView(
        error=error.type,
        message=cut(error.message)[0],
        cell=_failed_cell(record, item, error.cell),
        place=error.place or ("" if error.cell is None else f"cell {error.cell + 1}"),
        traceback=ansi_to_html(cut(error.traceback)[0]),
        log=ansi_to_html(tail_of(log_file)),
        log_file=str(log_file),
        command=command,
    )


def _failed_cell(record: RunRecord, item: StageRecord, place: int | None) -> str:
    """The cell that raised, as the executed notebook shows it."""
    content = read_notebook(_attempt_folder(record, item) / "notebook.ipynb")
    cells = list(numbered(own_cells(content))) if content is not None else []
    marked = [cell for cell, _ in cells if _status(cell) == "failed"]
    marked += [cell for cell, number in cells if place is not None and number == place + 1]
    return highlight(joined(marked[0].get("source")).strip("\n")) if marked else ""


def _status(cell: Mapping[str, Any]) -> object:
    """What the executed notebook says of a cell."""
    metadata = cell.get("metadata")
    said = metadata.get("mlkit") if isinstance(metadata, dict) else None
    return said.get("status") if isinstance(said, dict) else None


def tail_of(path: Path) -> str:
    """The last lines of a log; empty if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG_BYTES))
            content = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(content.splitlines()[-_LOG_LINES:])


def retries(record: RunRecord) -> tuple[RetryView, ...]:
    """Give every attempt of the stages that needed more than one."""
    return tuple(
        _retry(item.id, attempt)
        for item in record.stages.values()
        if item.attempts > 1
        for attempt in item.history
    )


def _retry(stage_id: str, attempt: AttemptRecord) -> RetryView:
    error = attempt.error
    return RetryView(
        stage=stage_id,
        number=attempt.number,
        sign=SIGNS[attempt.status],
        status=attempt.status.value,
        waited=format_duration(attempt.delay_s) if attempt.delay_s else "",
        took=format_duration(attempt.seconds),
        error="" if error is None else cut(f"{error.type}: {error.message}")[0],
    )
