"""`metrics: {NAME: OUTPUT.KEY}`: which numbers of a stage are compared, and under which names."""

from __future__ import annotations

import json
from pathlib import Path

from mlkit.api.run_tables import measured_by, row_of
from mlkit.core.record import RunRecord
from mlkit.reports.comparison import compare_runs
from mlkit.reports.metrics import (
    compare_instances,
    metric_tables,
    numbers_by_name,
)
from mlkit.reports.run_table import RunTable
from mlkit.testing import run_fake
from mlkit.testing.sketches import write_notebook

NAMED = "{auc: scores.test.roc.auc, rows: report.rows}"
CODE = """import json
json.dump({"test": {"roc": {"auc": 0.5 + seed / 10}}, "noise": 7}, open(scores, "w"))
json.dump({"rows": 10 * seed, "ok": True}, open(report, "w"))"""


def _run(folder: Path, metrics: str | None = NAMED, seed: int = 1, more: str = "") -> RunRecord:
    write_notebook(
        folder / "one.ipynb",
        CODE,
        parameters='seed: int = 1\nscores: str = ""\nreport: str = ""',
    )
    keys = "" if metrics is None else f"    metrics: {metrics}\n"
    (folder / "pipeline.yaml").write_text(
        "name: p\nstages:\n  one:\n    notebook: one.ipynb\n"
        "    outputs: {scores: scores.json, report: report.json}\n" + keys + more
    )
    return run_fake(folder, parameters={"one.seed": seed} if not more else {})


def test_the_named_numbers_are_the_metrics_and_no_others(tmp_path: Path) -> None:
    """From any output, however deep; `noise` and truth values are none."""
    record = _run(tmp_path)
    assert {(t.output, *t.numbers.items()) for t in metric_tables(record)} == {
        ("scores", ("auc", 0.6)),
        ("report", ("rows", 10)),
    }
    assert numbers_by_name(record) == {"auc": 0.6, "rows": 10}
    assert numbers_by_name(record, ["noise"]) == {"noise": 7, "auc": 0.6, "rows": 10}
    assert record.warnings == ()


def test_without_names_only_outputs_called_metrics_count(tmp_path: Path) -> None:
    """As ever."""
    assert metric_tables(_run(tmp_path, metrics=None)) == ()


def test_two_runs_are_compared_by_the_names(tmp_path: Path) -> None:
    """Each number under its name, below the output in which it stands."""
    found = compare_runs(_run(tmp_path, seed=1), _run(tmp_path, seed=2)).metrics
    assert {(change.output, change.metric, change.left, change.right) for change in found} == {
        ("scores", "auc", 0.6, 0.7),
        ("report", "rows", 10, 20),
    }


def test_instances_are_compared_by_the_names(tmp_path: Path) -> None:
    """Of a mapped stage."""
    record = _run(tmp_path, more="    foreach: {seed: [1, 2, 3]}\n")
    groups = {group.metric: group.values for group in compare_instances(record)}
    assert groups["rows"] == (("1", 10), ("2", 20), ("3", 30))


def test_no_instance_speaks_for_all(tmp_path: Path) -> None:
    """Each has its own number and its own column; asked for by the name, all of them."""
    record = _run(tmp_path, more="    foreach: {seed: [1, 2, 3]}\n")
    found = numbers_by_name(record, ["noise"])
    assert {name: found[name] for name in found if name.startswith("rows")} == {
        "rows[1]": 10,
        "rows[2]": 20,
        "rows[3]": 30,
    }
    table = RunTable([row_of(record, measured_by(record, ["noise", "rows", "none"]))])
    assert [column.key for name in ("noise", "rows", "none") for column in table.metrics(name)] == [
        *(f"one[{seed}].{name}" for name in ("noise", "rows") for seed in (1, 2, 3)),
    ]
    assert table.unmeasured(["noise", "rows"]) == []
    assert table.unmeasured(["rwos"]) == ["no run measured 'rwos'. Did you mean 'rows'?"]


def test_a_number_that_is_missing_is_told_by_the_run(tmp_path: Path) -> None:
    """Whether the stage ran or was reused; the others count."""
    named = "{auc: scores.test.auc, ok: report.ok, rows: report.rows}"
    for _ in range(2):
        record = _run(tmp_path, named)
        assert [line.partition(":")[0] for line in record.warnings] == ["stage 'one'"] * 2
        assert "metric 'auc' is no number in its output (scores.test.auc)" in record.warnings[0]
        assert "metric 'ok'" in record.warnings[1]
        assert numbers_by_name(record) == {"rows": 10}


def test_naming_metrics_changes_no_result(tmp_path: Path) -> None:
    """They are read from what is there already."""
    _run(tmp_path, metrics=None)
    record = _run(tmp_path)
    assert record.stages["one"].status.value == "cached"
    assert numbers_by_name(record)["rows"] == 10
    assert json.loads((tmp_path / "runs" / record.run_id / "run.json").read_text())
