"""The commands graph, runs, show, report and compare, on runs that stand in a database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlkit.cli.main import main
from mlkit.core.record import RunRecord
from mlkit.store.database import Database
from mlkit.store.folder import RunsFolder
from tests.documents import check_printed

PIPELINE = """\
name: tiny
stages:
  gate: {notebook: gate.ipynb, outputs: {decision: decision.json}}
  tell: {notebook: tell.ipynb, when: {gate.decision: alert}}
"""


def stage_notebook(*lines: str) -> str:
    """A notebook with a parameters cell."""
    cell: dict[str, Any] = {
        "cell_type": "code",
        "id": "parameters",
        "metadata": {"tags": ["parameters"]},
        "source": "\n".join(lines),
        "outputs": [],
        "execution_count": None,
    }
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a pipeline of two stages."""
    place = tmp_path / "tiny"
    place.mkdir()
    (place / "pipeline.yaml").write_text(PIPELINE, encoding="utf-8")
    decision = 'decision: str = "scratch/decision.json"'
    (place / "gate.ipynb").write_text(stage_notebook(decision), encoding="utf-8")
    (place / "tell.ipynb").write_text(stage_notebook("seed = 1"), encoding="utf-8")
    return place


@pytest.fixture
def runs_dir(green: RunRecord, red: RunRecord) -> Path:
    """A runs folder whose database knows two runs; the first is `latest`."""
    runs = RunsFolder(Path(green.runs_dir))
    database = Database(runs.database)
    for record in (green, red):
        place = runs.run(record.run_id)
        place.path.mkdir(parents=True, exist_ok=True)
        place.record.write_text(json.dumps(record.to_full_json()), encoding="utf-8")
        database.save_run(record)
        for number, stage in enumerate(record.stages.values()):
            database.save_stage(record.run_id, stage, number)
    database.close()
    runs.set_latest(green.run_id)
    return runs.path


class Said:
    """What a command printed, and how it ended."""

    def __init__(self, words: tuple[object, ...], code: int, out: str, err: str) -> None:
        self.words, self.code, self.out, self.err = words, code, out, err

    @property
    def document(self) -> Any:
        """The one JSON document on stdout, which keeps to its command's schema."""
        document = json.loads(self.out)
        check_printed(self.words, document)
        return document


@pytest.fixture
def mlkit(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call the command line."""

    def call(*words: object) -> Said:
        arguments = [str(word) for word in words]
        monkeypatch.setattr("sys.argv", ["mlkit", *arguments])
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        captured = capsys.readouterr()
        return Said(words, int(str(ended.value.code or 0)), captured.out, captured.err)

    return call


def test_graph_draws_to_stdout(mlkit: Any, folder: Path) -> None:
    """In each form, with the condition."""
    for form, mark in (
        ("text", "when decision = alert"),
        ("mermaid", "flowchart"),
        ("svg", "<svg"),
    ):
        said = mlkit("graph", folder, "--to", form)
        assert said.code == 0
        assert mark in said.out
        assert said.err == ""


def test_graph_writes_a_file(mlkit: Any, folder: Path, tmp_path: Path) -> None:
    """And leaves stdout to those who ask for JSON."""
    out = tmp_path / "made" / "graph.svg"
    said = mlkit("graph", folder, "--to", "svg", "--out", out)
    assert said.out == ""
    assert out.read_text(encoding="utf-8").startswith("<svg")
    said = mlkit("graph", folder, "--to", "svg", "--out", out, "--json")
    assert said.document["file"] == str(out)
    assert said.document["pipeline"] == "tiny"


def test_runs_lists_the_newest_first(mlkit: Any, runs_dir: Path, red: RunRecord) -> None:
    """And says how to see the older ones."""
    said = mlkit("runs", "--runs-dir", runs_dir, "--limit", "1")
    assert said.out.splitlines()[1].startswith(red.run_id)
    assert said.err == "and 1 older: mlkit runs --limit 2\n"
    for order in (("--sort", "-run"), ("--sort=-run",), ("--sort", "run")):
        said = mlkit("runs", "--runs-dir", runs_dir, *order, "--to", "csv", "--columns", "status")
        rows = said.out.splitlines()[1:]
        assert rows == (["succeeded", "failed"] if order[-1] == "run" else ["failed", "succeeded"])
    document = mlkit("runs", "--runs-dir", runs_dir, "--json").document
    assert [run["status"] for run in document["runs"]] == ["failed", "succeeded"]


def test_runs_of_a_pipeline_that_never_ran(mlkit: Any, folder: Path) -> None:
    """No error, and no folder is made."""
    assert mlkit("runs", folder).out == "No run yet. Start one with: mlkit run\n"
    assert not (folder / "runs").exists()


def test_show_takes_latest_and_the_start_of_an_id(
    mlkit: Any, runs_dir: Path, green: RunRecord, red: RunRecord
) -> None:
    """As text, or the whole record as JSON."""
    assert green.run_id in mlkit("show", "latest", "--runs-dir", runs_dir).out.splitlines()[0]
    document = mlkit("show", red.run_id[:8], "--runs-dir", runs_dir, "--json").document
    assert document["run_id"] == red.run_id
    assert document["stages"]["train[xgboost]"]["error"]["cell"] == 2


def test_a_run_that_is_not_there_is_said(mlkit: Any, runs_dir: Path) -> None:
    """On stderr, with the remedy; as JSON where that was asked for."""
    said = mlkit("show", "nope", "--runs-dir", runs_dir)
    assert (said.code, said.out) == (2, "")
    assert "there is no run 'nope'" in said.err
    assert "mlkit runs" in said.err
    assert (
        "nope"
        in mlkit("show", "nope", "--runs-dir", runs_dir, "--json").document["error"]["message"]
    )


def test_report_writes_into_the_run_and_says_where(
    mlkit: Any, runs_dir: Path, green: RunRecord
) -> None:
    """The run's pipeline is gone, which costs the conditions only."""
    said = mlkit("report", "latest", "--runs-dir", runs_dir)
    file = runs_dir / green.run_id / "report.html"
    assert said.out == f"{file}\n"
    assert "The report's graph shows no conditions" in said.err
    assert green.run_id in file.read_text(encoding="utf-8")


def test_report_writes_where_it_is_told(mlkit: Any, runs_dir: Path, tmp_path: Path) -> None:
    """Its folder is made."""
    out = tmp_path / "new" / "page.html"
    document = mlkit("report", "latest", "--runs-dir", runs_dir, "--out", out, "--json").document
    assert document["file"] == str(out)
    assert out.is_file()


def test_compare_tells_the_differences(
    mlkit: Any, runs_dir: Path, green: RunRecord, red: RunRecord
) -> None:
    """As text and as JSON."""
    words = ("compare", green.run_id, red.run_id, "--runs-dir", runs_dir)
    assert "rows: 20000 → 500" in mlkit(*words).out
    document = mlkit(*words, "--json").document
    assert document["parameters"] == [{"stage": None, "name": "rows", "left": 20000, "right": 500}]


@pytest.mark.parametrize("command", ["graph", "runs", "show", "report", "compare"])
def test_help_teaches_by_examples(mlkit: Any, command: str) -> None:
    """Each on a line of its own."""
    said = mlkit(command, "--help")
    assert said.code == 0
    assert f"\n    mlkit {command}" in said.out
