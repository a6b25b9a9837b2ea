"""What differs between two runs, as values, as JSON and as text. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from mlkit.core.durations import format_duration
from mlkit.reports.bars import number
from mlkit.reports.code_diff import CellDifference

__all__ = [
    "ArtifactChange",
    "CodeChange",
    "Comparison",
    "MetricChange",
    "ParameterChange",
    "StageChange",
]


@dataclass(frozen=True, kw_only=True)
class ParameterChange:
    """A parameter whose value differs; values are canonical JSON, None where there is none.

    `stage` is empty for a parameter of the pipeline.
    """

    name: str
    left: str | None
    right: str | None
    stage: str = ""


@dataclass(frozen=True, kw_only=True)
class StageChange:
    """The states and durations of one stage; None where a run did not have it."""

    stage: str
    left: str | None
    right: str | None
    left_seconds: float | None
    right_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class CodeChange:
    """The cells of one stage's notebook that differ, or a note why that is not known."""

    stage: str
    cells: tuple[CellDifference, ...] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ArtifactChange:
    """An artifact whose content differs; digests and sizes are None where there is none."""

    stage: str
    output: str
    left: str | None
    right: str | None
    left_bytes: int | None
    right_bytes: int | None


@dataclass(frozen=True, kw_only=True)
class MetricChange:
    """One number in a JSON artifact of both runs, or of one of them."""

    stage: str
    output: str
    metric: str
    left: float | None
    right: float | None

    @property
    def difference(self) -> float | None:
        """Right minus left; None where one is missing."""
        return None if self.left is None or self.right is None else self.right - self.left


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What differs between two runs, and what they measured.

    Parameters
    ----------
    left, right : str
        The ids of the runs.
    stages : tuple of StageChange
        Every stage of either run.
    metrics : tuple of MetricChange
        Every metric of either run, equal ones too.
    equal_artifacts : int
        How many artifacts have the same content in both.
    """

    left: str
    right: str
    pipelines: tuple[str, str]
    parameters: tuple[ParameterChange, ...]
    stages: tuple[StageChange, ...]
    code: tuple[CodeChange, ...]
    artifacts: tuple[ArtifactChange, ...]
    metrics: tuple[MetricChange, ...]
    equal_artifacts: int = 0

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON; a parameter that a run does not have has no key there."""
        return {
            "left": self.left,
            "right": self.right,
            "pipelines": list(self.pipelines),
            "parameters": [_parameter_json(change) for change in self.parameters],
            "stages": [asdict(change) for change in self.stages],
            "code": [_code_json(change) for change in self.code],
            "artifacts": [asdict(change) for change in self.artifacts],
            "equal_artifacts": self.equal_artifacts,
            "metrics": [{**asdict(c), "difference": c.difference} for c in self.metrics],
        }

    def to_text(self) -> str:
        """The comparison for a terminal."""
        parts = [f"{self.left}  →  {self.right}"]
        for title, lines in (
            ("Parameters", list(map(_parameter_line, self.parameters))),
            ("Stages", [_stage_line(c) for c in self.stages if c.left != c.right]),
            ("Code", [line for change in self.code for line in _code_lines(change)]),
            ("Artifacts", list(map(_artifact_line, self.artifacts))),
            ("Metrics", _metric_lines(self.metrics)),
        ):
            shown = lines or ["no difference" if title != "Metrics" else "none in either run"]
            parts.append("\n".join([title, *(f"  {line}" for line in shown)]))
        if self.equal_artifacts:
            parts.append(f"{self.equal_artifacts} artifacts are equal in both runs.")
        return "\n\n".join(parts)


def _code_json(change: CodeChange) -> dict[str, Any]:
    cells = [asdict(cell) for cell in change.cells]
    return {"stage": change.stage, "cells": cells, "note": change.note}


def _parameter_json(change: ParameterChange) -> dict[str, Any]:
    sides = {"left": change.left, "right": change.right}
    known = {side: json.loads(text) for side, text in sides.items() if text is not None}
    return {"stage": change.stage or None, "name": change.name, **known}


def _parameter_line(change: ParameterChange) -> str:
    name = f"{change.stage}.{change.name}" if change.stage else change.name
    return f"{name}: {change.left or '(not there)'} → {change.right or '(not there)'}"


def _stage_line(change: StageChange) -> str:
    def side(status: str | None, seconds: float | None) -> str:
        took = f" in {format_duration(seconds)}" if seconds is not None else ""
        return f"{(status or 'not there').replace('_', ' ')}{took}"

    left = side(change.left, change.left_seconds)
    return f"{change.stage}: {left} → {side(change.right, change.right_seconds)}"


def _code_lines(change: CodeChange) -> Iterator[str]:
    if change.note:
        yield f"{change.stage}: {change.note}"
    for cell in change.cells:
        yield f"{change.stage}, cell {cell.right if cell.right is not None else cell.left}"
        yield from (f"  {line}" for line in cell.diff.splitlines())


def _artifact_line(change: ArtifactChange) -> str:
    def side(digest: str | None, size: int | None) -> str:
        return "(not there)" if digest is None else f"{digest[:10]} ({size or 0:,} bytes)"

    left = side(change.left, change.left_bytes)
    return f"{change.stage}.{change.output}: {left} → {side(change.right, change.right_bytes)}"


def _metric_lines(metrics: tuple[MetricChange, ...]) -> list[str]:
    """A table of the metrics that differ, and how many do not."""
    rows = [
        (f"{c.stage}.{c.output}: {c.metric}", _number(c.left), _number(c.right), _delta(c))
        for c in metrics
        if c.left != c.right
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(3)] if rows else []
    lines = [
        f"{n.ljust(widths[0])}  {old.rjust(widths[1])} → {new.rjust(widths[2])}  {by}".rstrip()
        for n, old, new, by in rows
    ]
    equal = len(metrics) - len(rows)
    return [*lines, f"{equal} equal in both"] if equal else lines


def _number(value: float | None) -> str:
    return "–" if value is None else number(value)


def _delta(change: MetricChange) -> str:
    return "" if change.difference is None else f"({change.difference:+.4g})"
