"""Two runs side by side."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlkit.core.record import RunRecord
from mlkit.reports.changes import CodeChange, ParameterChange
from mlkit.reports.code_diff import CodeCell, code_cells, diff_cells
from mlkit.reports.comparison import compare_runs
from mlkit.testing import Sketch, run_fake, write_pipeline


def cells(*sources: str) -> tuple[CodeCell, ...]:
    """Code cells numbered from 1."""
    return tuple(CodeCell(number=n, source=s) for n, s in enumerate(sources, start=1))


def copy_of(record: RunRecord, run_id: str, edit: tuple[str, str]) -> RunRecord:
    """A second run with the same files, but one text replaced in every notebook."""
    source = Path(record.runs_dir) / record.run_id
    for path in source.rglob("notebook.ipynb"):
        target = Path(record.runs_dir) / run_id / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text(encoding="utf-8").replace(*edit), encoding="utf-8")
    return replace(record, run_id=run_id)


def test_a_run_compared_with_itself_differs_in_nothing(green: RunRecord) -> None:
    """But its metrics are still told, and its artifacts counted."""
    same = compare_runs(green, green)
    assert (same.parameters, same.artifacts) == ((), ())
    assert all(change.note for change in same.code)
    assert {change.difference for change in same.metrics} == {0}
    assert same.equal_artifacts == 8
    assert "Parameters\n  no difference" in same.to_text()


def test_changed_parameters_are_told(green: RunRecord, red: RunRecord) -> None:
    """With both values."""
    assert compare_runs(green, red).parameters == (
        ParameterChange(name="rows", left="20000", right="500"),
    )


def test_a_parameter_that_only_one_run_has_has_no_value_in_the_other(green: RunRecord) -> None:
    """Null is a value; a missing one has no key in the JSON."""
    other = replace(green, parameters={**green.parameters, "new": None})
    comparison = compare_runs(green, other)
    assert comparison.to_json()["parameters"] == [{"stage": None, "name": "new", "right": None}]
    assert "new: (not there) → null" in comparison.to_text()


def test_a_parameter_of_one_stage_is_told_once_and_with_its_stage(green: RunRecord) -> None:
    """Not if it only follows the pipeline's."""
    collect = replace(green.stages["collect"], parameters={"rows": 5, "extra": 1})
    stages = {**green.stages, "collect": collect}
    other = replace(green, parameters={**green.parameters, "rows": 5}, stages=stages)
    assert [(c.stage, c.name) for c in compare_runs(green, other).parameters] == [
        ("", "rows"),
        ("collect", "extra"),
    ]


def test_profile_kernel_and_environment_are_told(green: RunRecord) -> None:
    """With the stages for which they differ; of a record without them nothing is said."""
    some = {"profile": None, "kernels": {"collect": "ir"}, "env": {"collect": {"A": "1", "B": "x"}}}
    others = {"profile": "prod", "env": {"collect": {"A": "2", "B": "x"}, "split": {"A": "2"}}}
    one, other = (replace(green, options={**green.options, **o}) for o in (some, others))
    found = compare_runs(one, other)
    assert [(c.kind, c.name, c.stages, c.left, c.right) for c in found.settings] == [
        ("profile", "", (), None, "prod"),
        ("kernel", "", ("collect",), "ir", None),
        ("env", "A", ("collect",), "1", "2"),
        ("env", "A", ("split",), None, "2"),
    ]
    text = found.to_text()
    for line in (
        "profile: (not set) → prod",
        "kernel (collect): ir → mlkit's own",
        "env A (collect): 1 → 2",
        "env A (split): (not set) → 2",
    ):
        assert f"  {line}\n" in text
    assert found.to_json()["settings"][0]["right"] == "prod"
    assert "Settings" not in compare_runs(green, green).to_text()


def test_a_run_records_its_kernels_and_environment(tmp_path: Path) -> None:
    """Secrets by their names."""
    file = write_pipeline(
        tmp_path, Sketch(name="a", keys={"env": {"MODE": "x", "API_TOKEN": "${API_TOKEN}"}})
    )
    record = run_fake(file, environ={"API_TOKEN": "very-secret"})
    assert record.options["env"] == {"a": {"MODE": "x", "API_TOKEN": "${API_TOKEN}"}}
    path = tmp_path / "pipeline.yaml"
    path.write_text(path.read_text().replace("MODE: x", "MODE: y"))
    later = run_fake(file, environ={"API_TOKEN": "another-one"})
    (change,) = compare_runs(record, later).settings
    assert (change.name, change.left, change.right) == ("MODE", "x", "y")


def test_code_is_compared_cell_by_cell_and_once_for_a_mapped_stage(green: RunRecord) -> None:
    """Injected parameters are no code."""
    other = copy_of(green, "20260104-000000-eeee", ('"metrics"', '"metrics.copy()"'))
    changes = [change for change in compare_runs(green, other).code if change.cells]
    assert [change.stage for change in changes] == ["train"]
    (cell,) = changes[0].cells
    assert cell.diff == "--- cell 2\n+++ cell 2\n@@ -1 +1 @@\n-metrics\n+metrics.copy()"


def test_artifacts_are_compared_by_digest(green: RunRecord, red: RunRecord) -> None:
    """One that is missing has no digest."""
    changes = {(c.stage, c.output): c for c in compare_runs(green, red).artifacts}
    assert changes["evaluate", "curve"].left == green.stages["evaluate"].artifacts["curve"].digest
    assert changes["train[xgboost]", "metrics"].right is None


def test_metrics_have_their_difference(green: RunRecord, tmp_path: Path) -> None:
    """Right minus left."""
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps({"roc_auc": 0.72}), encoding="utf-8")
    artifact = replace(green.stages["evaluate"].artifacts["metrics"], path=str(path))
    stage = replace(green.stages["evaluate"], artifacts={"metrics": artifact})
    other = replace(green, stages={**green.stages, "evaluate": stage})
    comparison = compare_runs(green, other)
    found = {c.metric: c.difference for c in comparison.metrics if c.stage == "evaluate"}
    assert found["roc_auc"] == pytest.approx(0.03)
    assert found["n"] is None
    assert "0.69  →  0.72  (+0.03)" in comparison.to_text()


def test_the_json_is_plain_and_strict(green: RunRecord, red: RunRecord) -> None:
    """No nan, no class of mlkit's own."""
    document = compare_runs(green, red).to_json()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["left"] == green.run_id


def test_a_missing_notebook_is_said(green: RunRecord) -> None:
    """Instead of passing for equal code."""
    changes = compare_runs(green, replace(green, run_id="gone")).code
    note = "not both runs have kept a notebook of it"
    assert CodeChange(stage="collect", note=note) in changes


def test_equal_cells_hold_the_pairing_together() -> None:
    """An inserted cell does not make all later ones differ."""
    (only,) = diff_cells(cells("a", "b", "c"), cells("a", "new", "b", "c"))
    assert (only.left, only.right) == (None, 2)
    assert "+new" in only.diff
    assert diff_cells(cells("a"), cells("a")) == ()


def test_cells_that_papermill_added_are_left_out() -> None:
    """So are prose, empty cells and what is no cell."""
    notebook: dict[str, Any] = {
        "cells": [
            {"cell_type": "markdown", "source": "# A"},
            {"cell_type": "code", "source": "x = 1", "metadata": {"tags": ["injected-parameters"]}},
            {"cell_type": "code", "source": ["y\n", "z"], "metadata": {}},
            {"cell_type": "code", "source": " "},
            None,
        ]
    }
    assert code_cells(notebook) == (CodeCell(number=2, source="y\nz"),)
