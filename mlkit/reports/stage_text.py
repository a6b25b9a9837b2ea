"""One stage of a run as text: what it was given and made, its attempts, its error whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlkit.core.durations import format_duration
from mlkit.core.record import AttemptRecord, RunRecord, StageRecord
from mlkit.core.values import shown
from mlkit.observe.layout import clean, columns, near, paragraph
from mlkit.observe.signs import SIGNS
from mlkit.reports.metrics import stage_metrics
from mlkit.reports.report_parts import format_size, stage_folder
from mlkit.reports.run_table import number_text

__all__ = ["stage_text"]


def stage_text(record: RunRecord, item: StageRecord, *, folder: Path, width: int = 80) -> str:
    """Show one stage, or one instance of it.

    Parameters
    ----------
    record : RunRecord
        The run.
    item : StageRecord
        The stage in it.
    folder : Path
        Where the reader is; paths are relative to it.
    width : int
        The terminal's columns; the traceback keeps its own.
    """
    took = f" in {format_duration(item.seconds)}" if item.history else ""
    parts = [f"{item.id}: {SIGNS[item.status]}{took}, run {record.run_id}"]
    if item.reason:
        parts.append(paragraph(f"why: {item.reason}", width, hanging="  "))
    if item.source_run and item.source_run != record.run_id:
        parts.append(f"made in run {item.source_run}")
    home = Path(record.runs_dir, record.run_id)
    parts.append(f"folder: {near(stage_folder(record, item.id), folder)}")
    for title, rows in _tables(record, item, home):
        if rows:
            parts.append(f"\n{title}\n{columns(rows, width, indent='  ')}")
    if item.error is not None:
        parts += ["", *_error(item, width)]
    return "\n".join(parts)


def _tables(
    record: RunRecord, item: StageRecord, home: Path
) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    yield "Parameters", [(name, shown(value)) for name, value in item.parameters.items()]
    yield "Inputs", list(_inputs(item.inputs, home))
    yield "Outputs", list(_outputs(item, home))
    metrics = stage_metrics(record, item)
    yield "Metrics", [(name, number_text(value)) for name, value in metrics.items()]
    attempts = stage_folder(record, item.id) / "attempts"
    yield "Attempts", [_attempt(attempt, attempts, home) for attempt in item.history]


def _inputs(inputs: Mapping[str, Any], home: Path) -> Iterator[tuple[str, str]]:
    for name, given in inputs.items():
        several = given if isinstance(given, list | tuple) else [given]
        for number, path in enumerate(several):
            text = "none" if path is None else _place(Path(str(path)), home)
            yield "" if number else name, text


def _place(path: Path, home: Path) -> str:
    """A path of the run as the run's folder has it; any other one whole."""
    return str(path.relative_to(home) if path.is_relative_to(home) else path)


def _outputs(item: StageRecord, home: Path) -> Iterator[tuple[str, ...]]:
    for name, artifact in item.artifacts.items():
        place = _place(Path(artifact.path), home) + ("/" if artifact.is_folder else "")
        yield name, place, format_size(artifact.size_bytes), artifact.digest[:10]
    for name in item.absent:
        yield name, "not written (optional)", "", ""


def _attempt(attempt: AttemptRecord, attempts: Path, home: Path) -> tuple[str, ...]:
    log = attempts / str(attempt.number) / "log.txt"
    memory = attempt.peak_memory_bytes
    return (
        str(attempt.number),
        str(SIGNS[attempt.status]),
        format_duration(attempt.seconds),
        "" if attempt.cpu_s is None else f"CPU {attempt.cpu_s:.1f} s",
        "" if memory is None else format_size(memory),
        _place(log, home) if log.exists() else "",
    )


def _error(item: StageRecord, width: int) -> Iterator[str]:
    """The whole of it: tables and summaries cut it."""
    error = item.error
    assert error is not None
    where = error.place or ("" if error.cell is None else f"cell {error.cell + 1}")
    yield f"Error{f' in {where}' if where else ''}"
    for line in f"{error.type}: {error.message}".splitlines():
        yield paragraph(line, width, indent="  ", hanging="  ")
    if error.traceback:
        yield ""
        yield from (f"  {clean(line)}".rstrip() for line in error.traceback.splitlines())
