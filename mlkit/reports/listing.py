"""Runs and stages as tables of text, for the terminal."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from mlkit.core.durations import format_duration
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import Status
from mlkit.core.values import shown
from mlkit.observe.signs import RUN_SIGNS, SIGNS
from mlkit.observe.summary import judge_run
from mlkit.reports.report_parts import format_size

__all__ = ["columns", "run_json", "runs_text", "show_text"]

_MOST_REASON = 90


def columns(rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Align rows of equal length in columns; empty columns vanish."""
    if not rows:
        return ""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width)
        for row in rows
    )
    return "\n".join(f"{indent}{line}".rstrip() for line in lines)


def run_json(record: RunRecord) -> dict[str, object]:
    """One run in the document of `mlkit runs --json`."""
    short = {key: value for key, value in record.to_json().items() if key != "stages"}
    return {**short, "started": record.started, "ended": record.ended, "counts": _counts(record)}


def _counts(record: RunRecord) -> dict[str, int]:
    statuses = [item.status for item in record.stages.values()]
    return {s.value: statuses.count(s) for s in Status if s in statuses}


def runs_text(records: Sequence[RunRecord]) -> str:
    """List runs: id, state, start, duration, and how their stages ended."""
    if not records:
        return "No run yet. Start one with: mlkit run"
    rows = [("RUN", "STATE", "STARTED (UTC)", "TOOK", "STAGES")]
    rows += [
        (
            record.run_id,
            str(RUN_SIGNS[record.status]),
            dt.datetime.fromtimestamp(record.started, dt.UTC).strftime("%Y-%m-%d %H:%M:%S"),
            format_duration(record.seconds) if record.ended is not None else "",
            ", ".join(f"{n} {SIGNS[Status(s)].word}" for s, n in _counts(record).items()),
        )
        for record in records
    ]
    return columns(rows)


def show_text(record: RunRecord, *, folder: Path) -> str:
    """Show one run: the verdict, its parameters, and a line for each stage with its outputs.

    Parameters
    ----------
    record : RunRecord
        The run.
    folder : Path
        Where the suggested commands will be typed.
    """
    verdict = judge_run(record, folder)
    parts = [f"{RUN_SIGNS[record.status].glyph} {verdict.sentence}"]
    steps = columns([(step.command, step.purpose) for step in verdict.steps], indent="  ")
    parts += [steps] if steps else []
    parts += [f"warning: {text}" for text in record.warnings]
    if record.engine:
        parts.append(f"engine: {record.engine['name']}, its run {record.engine['run_id'] or '?'}")
    if record.parameters:
        values = [(name, shown(value)) for name, value in record.parameters.items()]
        parts.append(f"\nParameters\n{columns(values, indent='  ')}")
    heading = ("STAGE", "STATE", "ATTEMPTS", "TOOK", "CPU", "MEMORY", "TASK", "WHY")
    rows = list(map(_stage_row, record.stages.values()))
    stages = _without_empty_columns([heading, *rows])
    parts.append(f"\n{columns(stages)}")
    outputs = [
        (item.id, artifact.digest[:10], format_size(artifact.size_bytes), artifact.path)
        for item in record.stages.values()
        for artifact in item.artifacts.values()
    ]
    if outputs:
        parts.append(f"\nOutputs\n{columns(outputs, indent='  ')}")
    return "\n".join(parts)


def _without_empty_columns(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Leave out the column TASK where no engine ran anything."""
    kept = [i for i, name in enumerate(rows[0]) if name != "TASK" or any(r[i] for r in rows[1:])]
    return [tuple(row[i] for i in kept) for row in rows]


def _stage_row(item: StageRecord) -> tuple[str, ...]:
    cpu = [a.cpu_s for a in item.history if a.cpu_s is not None]
    memory = [a.peak_memory_bytes for a in item.history if a.peak_memory_bytes is not None]
    return (
        item.id,
        str(SIGNS[item.status]),
        str(item.attempts) if item.attempts else "",
        format_duration(item.seconds) if item.history else "",
        f"{sum(cpu):.1f} s" if cpu else "",
        format_size(max(memory)) if memory else "",
        item.engine_task or "",
        _why(item),
    )


def _why(item: StageRecord) -> str:
    words = item.reason
    if item.status is Status.FAILED and item.error is not None:
        words = f"{item.error.type}: {item.error.message}"
    words = " ".join(words.split())
    return words if len(words) <= _MOST_REASON else words[: _MOST_REASON - 1] + "…"
