"""Two runs side by side: parameters, code, artifacts, metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.values import canonical, safe_name
from mlkit.reports.changes import (
    ArtifactChange,
    CodeChange,
    Comparison,
    MetricChange,
    ParameterChange,
    SettingChange,
    StageChange,
)
from mlkit.reports.code_diff import code_cells, diff_cells
from mlkit.reports.metrics import metric_tables
from mlkit.reports.notebook_view import read_notebook

__all__ = ["Comparison", "code_change", "compare_runs"]

_NOT_KEPT = "not both runs have kept a notebook of it"


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
        settings=tuple(_settings(a, b)),
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


def _settings(a: RunRecord, b: RunRecord) -> Iterator[SettingChange]:
    """Differences of profile, kernels and environment; what holds for several stages stands once.

    A record of an earlier mlkit tells of none.
    """
    profiles = (a.options.get("profile") or None, b.options.get("profile") or None)
    if profiles[0] != profiles[1]:
        yield SettingChange(kind="profile", left=profiles[0], right=profiles[1])
    found: dict[tuple[str, str, str | None, str | None], list[str]] = {}
    both = {item.stage for item in b.stages.values()}
    for stage in dict.fromkeys(item.stage for item in a.stages.values() if item.stage in both):
        kernels = [r.options.get("kernels", {}).get(stage) for r in (a, b)]
        if kernels[0] != kernels[1]:
            found.setdefault(("kernel", "", *kernels), []).append(stage)
        left, right = (r.options.get("env", {}).get(stage, {}) for r in (a, b))
        for name in sorted({*left, *right}):
            if left.get(name) != right.get(name):
                key = ("env", name, left.get(name), right.get(name))
                found.setdefault(key, []).append(stage)
    for (kind, name, old, new), stages in found.items():
        yield SettingChange(kind=kind, name=name, left=old, right=new, stages=tuple(stages))


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
            yield CodeChange(stage=stage, note=_NOT_KEPT)


def code_change(stage: str, a: RunRecord, b: RunRecord) -> CodeChange:
    """Compare the code of one stage in two runs, cell by cell."""
    both = [name for name, item in a.stages.items() if item.stage == stage and name in b.stages]
    for name in both:
        old, new = _notebook(a, name), _notebook(b, name)
        if old is not None and new is not None:
            return CodeChange(stage=stage, cells=diff_cells(code_cells(old), code_cells(new)))
    return CodeChange(stage=stage, note=_NOT_KEPT)


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
