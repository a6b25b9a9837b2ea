"""Two runs side by side: parameters, code, artifacts, metrics."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlkit.core.durations import format_duration
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.values import canonical, safe_name
from mlkit.reports.bars import number
from mlkit.reports.code_diff import CellDifference, code_cells, diff_cells
from mlkit.reports.metrics import metric_tables
from mlkit.reports.notebook_view import read_notebook

__all__ = [
    "ArtifactChange",
    "CodeChange",
    "Comparison",
    "MetricChange",
    "ParameterChange",
    "StageChange",
    "compare_runs",
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
            "code": [asdict(change) for change in self.code],
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


def compare_runs(a: RunRecord, b: RunRecord) -> Comparison:
    """Compare two runs; notebooks and metrics are read where the records say they are.

    Parameters
    ----------
    a, b : RunRecord
        The earlier and the later run, or any two.
    """
    names = list(dict.fromkeys([*a.stages, *b.stages]))
    artifacts = [change for name in names for change in _artifacts(name, a, b)]
    return Comparison(
        left=a.run_id,
        right=b.run_id,
        pipelines=(a.pipeline, b.pipeline),
        parameters=tuple(_parameters(a, b)),
        stages=tuple(_stage(name, a.stages.get(name), b.stages.get(name)) for name in names),
        code=tuple(_code(a, b)),
        artifacts=tuple(change for change in artifacts if change.left != change.right),
        metrics=tuple(_metrics(a, b)),
        equal_artifacts=sum(change.left == change.right for change in artifacts),
    )


def _changes(
    left: Mapping[str, Any], right: Mapping[str, Any]
) -> Iterator[tuple[str, str | None, str | None]]:
    for name in dict.fromkeys([*left, *right]):
        old = canonical(left[name]) if name in left else None
        new = canonical(right[name]) if name in right else None
        if old != new:
            yield name, old, new


def _parameters(a: RunRecord, b: RunRecord) -> Iterator[ParameterChange]:
    """Differences of the pipeline's parameters, then of stages where they are not the same ones."""
    seen = set()
    for change in _changes(a.parameters, b.parameters):
        seen.add(change)
        yield ParameterChange(name=change[0], left=change[1], right=change[2])
    for stage in a.stages:
        if stage in b.stages:
            for change in _changes(a.stages[stage].parameters, b.stages[stage].parameters):
                known = change in seen or not a.stages[stage].parameters
                if not known and b.stages[stage].parameters:
                    name, left, right = change
                    yield ParameterChange(stage=stage, name=name, left=left, right=right)


def _stage(name: str, left: StageRecord | None, right: StageRecord | None) -> StageChange:
    return StageChange(
        stage=name,
        left=left.status.value if left else None,
        right=right.status.value if right else None,
        left_seconds=round(left.seconds, 3) if left and left.history else None,
        right_seconds=round(right.seconds, 3) if right and right.history else None,
    )


def _code(a: RunRecord, b: RunRecord) -> Iterator[CodeChange]:
    """Differences of code, once for a mapped stage: its instances share one notebook."""
    done = set()
    for name in a.stages:
        if name not in b.stages or a.stages[name].stage in done:
            continue
        old, new = _notebook(a, name), _notebook(b, name)
        if old is None or new is None:
            continue
        done.add(a.stages[name].stage)
        cells = diff_cells(code_cells(old), code_cells(new))
        if cells:
            yield CodeChange(stage=a.stages[name].stage, cells=cells)
    for stage in dict.fromkeys(item.stage for item in a.stages.values()):
        both = any(item.stage == stage for item in b.stages.values())
        ran = any(item.history for item in a.stages.values() if item.stage == stage)
        if stage not in done and both and ran:
            yield CodeChange(stage=stage, note="not both runs have kept a notebook of it")


def _notebook(record: RunRecord, name: str) -> dict[str, Any] | None:
    folder = Path(record.runs_dir) / record.run_id / safe_name(name)
    last = folder / "attempts" / str(max(1, record.stages[name].attempts))
    places = (folder / "notebook.ipynb", last / "notebook.ipynb")
    return next((found for path in places if (found := read_notebook(path)) is not None), None)


def _artifacts(name: str, a: RunRecord, b: RunRecord) -> Iterator[ArtifactChange]:
    left = a.stages[name].artifacts if name in a.stages else {}
    right = b.stages[name].artifacts if name in b.stages else {}
    for output in dict.fromkeys([*left, *right]):
        old, new = left.get(output), right.get(output)
        yield ArtifactChange(
            stage=name,
            output=output,
            left=old.digest if old else None,
            right=new.digest if new else None,
            left_bytes=old.size_bytes if old else None,
            right_bytes=new.size_bytes if new else None,
        )


def _metrics(a: RunRecord, b: RunRecord) -> Iterator[MetricChange]:
    left, right = ({(t.stage, t.output): t.numbers for t in metric_tables(r)} for r in (a, b))
    for place in dict.fromkeys([*left, *right]):
        old, new = left.get(place, {}), right.get(place, {})
        for metric in dict.fromkeys([*old, *new]):
            yield MetricChange(
                stage=place[0],
                output=place[1],
                metric=metric,
                left=old.get(metric),
                right=new.get(metric),
            )


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
    rows = []
    for change in metrics:
        left, right = (
            "–" if value is None else number(value) for value in (change.left, change.right)
        )
        delta = f"{change.difference:+.4g}" if change.difference else ""
        rows.append((f"{change.stage}.{change.output}: {change.metric}", left, right, delta))
    widths = [max(len(row[i]) for row in rows) for i in range(4)] if rows else []
    return [
        f"{row[0].ljust(widths[0])}  {row[1].rjust(widths[1])} → {row[2].rjust(widths[2])}"
        f"  {row[3]}".rstrip()
        for row in rows
    ]
