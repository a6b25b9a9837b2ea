"""`mlkit run` and its family, called as a user or an orchestrator would."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mlkit.core.states import RunStatus, Status
from mlkit.store.database import Database
from mlkit.store.folder import RunsFolder
from tests.cli.conftest import Call, write_notebook

pytestmark = pytest.mark.kernel


def test_a_run_prints_one_document(call: Call, words: Path, tmp_path: Path) -> None:
    """Its shape is what programs rely on; the second time everything is reused."""
    first = call("run", words, "--runs-dir", tmp_path, "--json")
    document = first.json()
    assert first.code == 0
    assert set(document) == {"run_id", "pipeline", "status", "seconds", "parameters", "stages"}
    assert document["status"] == "succeeded"
    assert document["parameters"] == {"many": 2}
    stage = document["stages"]["count"]
    assert set(stage) == {"status", "attempts", "seconds", "outputs", "error", "reason"}
    assert json.loads(Path(stage["outputs"]["metrics"]).read_text()) == {"count": 2}
    again = call("run", words, "--runs-dir", tmp_path, "--json").json()
    assert {item["status"] for item in again["stages"].values()} == {"cached"}


def test_a_task_of_a_joined_run_tells_of_itself_only(
    call: Call, words: Path, tmp_path: Path
) -> None:
    """Missing upstream: 2; done: 0; the document holds the selected stage and its own status."""
    base = ("run", words, "--runs-dir", tmp_path, "--run-id", "nightly-1", "--json")
    early = call(*base, "--only", "count")
    assert early.code == 2
    assert "write" in early.json()["error"]["message"]
    first = call(*base, "--only", "write")
    assert first.code == 0
    assert first.json()["status"] == "succeeded"
    assert list(first.json()["stages"]) == ["write"]
    assert "killed" not in first.err
    second = call(*base, "--only", "count")
    assert list(second.json()["stages"]) == ["count"]
    whole = call("show", "nightly-1", words, "--runs-dir", tmp_path, "--json").json()
    assert whole["status"] == "succeeded"
    assert set(whole["stages"]) == {"write", "count"}


def test_a_failure_has_exit_code_1_and_no_traceback(call: Call, tmp_path: Path) -> None:
    """The error stands in the document and in the text; the traceback only with --verbose."""
    (tmp_path / "pipeline.yaml").write_text("name: p\nstages:\n  s: {notebook: s.ipynb}\n")
    write_notebook(tmp_path / "s.ipynb", ["x = 1", "def inner():\n    1 / 0\ninner()"])
    spoken = call("run", tmp_path, "--json")
    assert spoken.code == 1
    error = spoken.json()["stages"]["s"]["error"]
    assert error == {"type": "ZeroDivisionError", "message": "division by zero"}
    assert "Traceback" not in spoken.err
    assert "mlkit resume" in spoken.err
    assert "Traceback" in call("run", tmp_path, "--verbose").err


@pytest.mark.parametrize("command", ["runs", "show latest", "clean", "report latest", "doctor"])
def test_a_mistyped_pipeline_is_named(call: Call, command: str, tmp_path: Path) -> None:
    """Nothing is looked for beside a folder that does not exist."""
    spoken = call(*command.split(), tmp_path / "nowhere")
    assert spoken.code == 2
    assert "there is no such pipeline" in spoken.err


def test_a_task_says_whether_its_policy_would_try_again(call: Call, tmp_path: Path) -> None:
    """An orchestrator must not retry what the stage's policy would not."""
    (tmp_path / "pipeline.yaml").write_text(
        "name: p\ndefaults: {retry: {max_retries: 3, on: [ConnectionError]}}\n"
        "stages:\n  bad: {notebook: bad.ipynb}\n  busy: {notebook: busy.ipynb}\n"
    )
    write_notebook(tmp_path / "bad.ipynb", ["x = 1", "raise ValueError('for good')"])
    write_notebook(tmp_path / "busy.ipynb", ["x = 1", "raise ConnectionResetError('for now')"])
    for stage, retryable in (("bad", False), ("busy", True)):
        spoken = call("run", tmp_path, "--only", stage, "--run-id", "r1", "--json")
        assert spoken.code == 1
        item = spoken.json()["stages"][stage]
        assert (item["error"]["retryable"], item["attempts"]) == (retryable, 1)


def test_what_goes_with_one_process_does_not_go_with_an_engine(call: Call, words: Path) -> None:
    """Refused before anything runs."""
    spoken = call("run", words, "--on", "airflow", "--until", "write", "--json")
    assert spoken.code == 2
    assert "--until does not go with --on" in spoken.json()["error"]["message"]
    assert call("run", words, "--host", "http://x").code == 2
    assert "Did you mean 'airflow'" in call("run", words, "--on", "airfow").err


def test_people_are_told_after_the_fact(call: Call, words: Path, tmp_path: Path) -> None:
    """Nobody to tell is no failure; a stage that is not there is."""
    call("run", words, "--runs-dir", tmp_path)
    spoken = call("notify", "latest", "write", words, "--runs-dir", tmp_path, "--json")
    assert (spoken.code, spoken.json()["told"]) == (0, [])
    slip = call("notify", "latest", "wirte", words, "--runs-dir", tmp_path)
    assert (slip.code, "Did you mean 'write'" in slip.err) == (2, True)


def test_a_killed_run_reads_so_everywhere(call: Call, words: Path, tmp_path: Path) -> None:
    """`runs`, `show`, their documents and the report; while its process is there it is running."""
    call("run", words, "--runs-dir", tmp_path)
    with contextlib.closing(Database(tmp_path / "mlkit.db")) as database:
        (record,) = database.load_runs()
        database.save_run(replace(record, status=RunStatus.RUNNING, ended=None))
        last = replace(record.stages["count"], status=Status.RUNNING, ended=None)
        database.save_stage(record.run_id, last, 1_000_000)
    end = (words, "--runs-dir", tmp_path)
    listed = call("runs", *end)
    assert "■ killed" in listed.out
    shown = call("show", record.run_id, *end)
    assert "was killed: its process is gone" in " ".join(shown.out.split())
    assert "mlkit resume" in shown.out
    told = call("runs", *end, "--json").json()["runs"][0]
    whole = call("show", record.run_id, *end, "--json").json()
    assert told["status"] == whole["status"] == "killed"
    assert whole["stages"]["count"]["status"] == "cancelled"
    assert call("report", record.run_id, *end).code == 0
    assert "was killed" in (tmp_path / record.run_id / "report.html").read_text("utf-8")
    for text in (listed.out, shown.out, json.dumps(told), json.dumps(whole)):
        assert "running" not in text
    with RunsFolder(tmp_path).run(record.run_id).lock(shared=False):
        assert call("runs", *end, "--json").json()["runs"][0]["status"] == "running"


def test_nan_is_printed_plainly(call: Call, tmp_path: Path) -> None:
    """In every document, which stays valid JSON, and in the texts."""
    (tmp_path / "pipeline.yaml").write_text(
        "name: p\nparameters: {x: .nan, y: [.inf, -.inf]}\n"
        "stages:\n  s: {notebook: s.ipynb, outputs: {metrics: m.json}}\n"
    )
    body = "import json\njson.dump({'auc': x}, open(metrics, 'w'))"
    write_notebook(tmp_path / "s.ipynb", ["x: float = 0.0\ny: list = []\nmetrics = ''", body])
    wanted = {"x": "nan", "y": ["inf", "-inf"]}
    ran = call("run", tmp_path, "--json").json()
    assert ran["parameters"] == wanted
    planned = call("plan", tmp_path, "--json").json()
    assert {n: p["value"] for n, p in planned["parameters"].items()} == wanted
    shown = call("show", "latest", tmp_path)
    assert "x  nan" in shown.out
    run_id = ran["run_id"]
    for words in (("show", "latest"), ("runs",), ("compare", run_id, run_id)):
        out = call(*words, tmp_path, "--json").out
        assert "$float" not in out
        json.loads(out, parse_constant=pytest.fail)
    assert call("show", "latest", tmp_path, "--json").json()["stages"]["s"]["parameters"] == wanted


def test_clean_takes_a_time_for_unfinished_runs(call: Call, words: Path, tmp_path: Path) -> None:
    """By default a run that an orchestrator has not ended stays."""
    call("run", words, "--runs-dir", tmp_path, "--only", "write", "--run-id", "R1")
    clean = ("clean", words, "--runs-dir", tmp_path, "--keep", "0", "--yes", "--json")
    assert call(*clean).json()["runs"] == []
    time.sleep(0.01)
    assert call(*clean, "--unfinished", "1ms").json()["runs"] == ["R1"]
    assert call(*clean, "--unfinished", "soon").code == 2
