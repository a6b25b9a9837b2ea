"""What a notebook logs with MLflow, without naming an address, is kept in the runs folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mlkit import run
from mlkit.cli.main import app
from mlkit.store.tracking import logged
from mlkit.testing import Sketch, run_fake, write_pipeline

LOGS = """
import mlflow
mlflow.log_metric('auc', 0.5)
mlflow.log_metric('auc', 0.75)
mlflow.log_param('depth', 3)
open('note.txt', 'w').write('kept')
mlflow.log_artifact('note.txt')
open(out, 'w').write('x')
"""


@pytest.mark.kernel
def test_it_is_kept_and_shown(tmp_path: Path) -> None:
    """Two begin at once with a store that is not there yet; a reused stage shows its own."""
    file = write_pipeline(
        tmp_path / "proj [v1] #a", Sketch(name="a", body=LOGS), Sketch(name="b", body=LOGS)
    )
    record = run(file, workers=2)
    assert record.status == "succeeded", record.stages["a"].error or record.stages["b"].error
    runs = file.parent / "runs"
    again = run(file)
    assert [stage.status for stage in again.stages.values()] == ["cached", "cached"]
    for one in (record, again):
        found = sorted(logged(one), key=lambda item: item.stage)
        assert [item.stage for item in found] == ["a", "b"]
        assert found[0].metrics == (("auc", 0.75),)
        assert found[0].params == (("depth", "3"),)
    kept = [path.read_text() for path in (runs / "mlartifacts").rglob("note.txt")]
    assert kept == ["kept", "kept"]
    shown = CliRunner().invoke(app, ["show", record.run_id, str(file.parent)])
    assert "Logged with MLflow" in shown.output
    assert "auc 0.75" in shown.output
    assert "depth=3" in shown.output


def test_a_run_without_mlflow_makes_no_store(tmp_path: Path) -> None:
    """And shows none."""
    file = write_pipeline(tmp_path, Sketch(name="a"))
    record = run_fake(file)
    assert logged(record) == []
    assert not (tmp_path / "runs" / "mlflow.db").exists()
    (tmp_path / "runs" / "mlflow.db").write_bytes(b"of another program, and long enough for it")
    assert logged(record) == []
