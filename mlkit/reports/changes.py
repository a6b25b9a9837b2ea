"""What differs between two runs, as values, as JSON and as text. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from mlkit.core.durations import format_duration
from mlkit.frozen import dataclass
from mlkit.observe.layout import broken, cell_width, columns, fold
from mlkit.reports.bars import number
from mlkit.reports.code_diff import CellDifference
from mlkit.reports.report_parts import format_size

__all__ = [
    "ArtifactChange",
    "CodeChange",
    "Comparison",
    "MetricChange",
    "ParameterChange",
    "SettingChange",
    "StageChange",
]

_INDENT = "  "


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
class SettingChange:
    """A profile, a kernel or a variable of `env` that differs; None where there is none.

    `kind` is profile, kernel or env; `name` is the variable's; `stages` are those for which it is
    so, empty for a profile.
    """

    kind: str
    left: str | None
    right: str | None
    name: str = ""
    stages: tuple[str, ...] = ()


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
    settings : tuple of SettingChange
        What differs beside the parameters: profile, kernels, environment.
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
    settings: tuple[SettingChange, ...]
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
            "settings": [{**asdict(c), "stages": list(c.stages)} for c in self.settings],
            "stages": [asdict(change) for change in self.stages],
            "code": [_code_json(change) for change in self.code],
            "artifacts": [asdict(change) for change in self.artifacts],
            "equal_artifacts": self.equal_artifacts,
            "metrics": [{**asdict(c), "difference": c.difference} for c in self.metrics],
        }

    def to_text(self, width: int = 80) -> str:
        """The comparison for a terminal of so many columns."""
        room = width - len(_INDENT)
        parts = ["\n".join(fold(f"{self.left}  →  {self.right}", width))]
        for title, lines in (
            ("Parameters", [line for c in self.parameters for line in _parameter(c, room)]),
            ("Settings", [line for c in self.settings for line in _setting(c, room)]),
            ("Stages", [line for c in self.stages for line in _stage(c, room)]),
            ("Code", [line for change in self.code for line in _code(change, room)]),
            ("Artifacts", _artifacts(self.artifacts, room)),
            ("Metrics", _metrics(self.metrics, room)),
        ):
            if title == "Settings" and not lines:  # most runs have none
                continue
            shown = lines or ["no difference" if title != "Metrics" else "none in either run"]
            parts.append("\n".join([title, *(f"{_INDENT}{line}".rstrip() for line in shown)]))
        if self.equal_artifacts:
            verb = "artifact is" if self.equal_artifacts == 1 else "artifacts are"
            parts.append(f"{self.equal_artifacts} {verb} equal in both runs.")
        return "\n\n".join(parts)


def _code_json(change: CodeChange) -> dict[str, Any]:
    cells = [asdict(cell) for cell in change.cells]
    return {"stage": change.stage, "cells": cells, "note": change.note}


def _parameter_json(change: ParameterChange) -> dict[str, Any]:
    sides = {"left": change.left, "right": change.right}
    known = {side: json.loads(text) for side, text in sides.items() if text is not None}
    return {"stage": change.stage or None, "name": change.name, **known}


def _parameter(change: ParameterChange, width: int) -> list[str]:
    name = f"{change.stage}.{change.name}" if change.stage else change.name
    text = f"{name}: {change.left or '(not there)'} → {change.right or '(not there)'}"
    return fold(text, width)


def _setting(change: SettingChange, width: int) -> list[str]:
    none = {"kernel": "mlkit's own"}.get(change.kind, "(not set)")
    words = f"{change.kind} {change.name}".rstrip()
    of = f" ({', '.join(change.stages)})" if change.stages else ""
    left, right = (none if side is None else side for side in (change.left, change.right))
    return fold(f"{words}{of}: {left} → {right}", width)


def _stage(change: StageChange, width: int) -> list[str]:
    if change.left == change.right:
        return []

    def side(status: str | None, seconds: float | None) -> str:
        took = f" in {format_duration(seconds)}" if seconds is not None else ""
        return f"{(status or 'not there').replace('_', ' ')}{took}"

    left = side(change.left, change.left_seconds)
    text = f"{change.stage}: {left} → {side(change.right, change.right_seconds)}"
    return fold(text, width)


def _code(change: CodeChange, width: int) -> Iterator[str]:
    if change.note:
        yield from fold(f"{change.stage}: {change.note}", width)
    for cell in change.cells:
        yield from fold(f"{change.stage}, cell {cell.right or cell.left}", width)
        for line in cell.diff.splitlines():
            yield from (f"{_INDENT}{part}" for part in broken(line, width - len(_INDENT)))


def _artifacts(changes: Sequence[ArtifactChange], width: int) -> list[str]:
    """A table of the artifacts that differ."""

    def side(digest: str | None, size: int | None) -> str:
        return "(not there)" if digest is None else f"{digest[:10]} {format_size(size or 0)}"

    rows = [
        (
            f"{change.stage}.{change.output}",
            side(change.left, change.left_bytes),
            "→",
            side(change.right, change.right_bytes),
        )
        for change in changes
    ]
    return columns(rows, width).splitlines()


def _metrics(metrics: tuple[MetricChange, ...], width: int) -> list[str]:
    """A table of the metrics that differ, below the artifact they stand in; and how many do not."""
    different = [change for change in metrics if change.left != change.right]
    sides = [(_number(change.left), _number(change.right)) for change in different]
    wide = [max((cell_width(side[i]) for side in sides), default=0) for i in (0, 1)]
    blocks: dict[str, list[tuple[str, ...]]] = {}
    for change, (left, right) in zip(different, sides, strict=True):
        row = (change.metric, left.rjust(wide[0]), "→", right.rjust(wide[1]), _delta(change))
        blocks.setdefault(f"{change.stage}.{change.output}", []).append(row)
    lines: list[str] = []
    for place, rows in blocks.items():
        lines += [*fold(place, width), *columns(rows, width, indent=_INDENT).splitlines()]
    equal = len(metrics) - len(different)
    return [*lines, f"{equal} equal in both"] if equal else lines


def _number(value: float | None) -> str:
    return "–" if value is None else number(value)


def _delta(change: MetricChange) -> str:
    return "" if change.difference is None else f"({change.difference:+.4g})"
