"""What a stage logs stands in record, events, database and table, and a reuse has it again."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mlkit
from mlkit.core.events import EventKind
from mlkit.core.record import RunRecord
from mlkit.driver.logged import MOST_POINTS, Logged, logged_lines
from mlkit.reports.html import render_report
from mlkit.store.database import Database
from mlkit.testing import FakeRunner, Raises, RecordingObserver, run_fake
from mlkit.testing.sketches import Sketch, write_notebook, write_pipeline
from mlkit.widgets.views.stage_detail import stage_html
from tests.other_kernels import add_kernel

CURVE = """\
import mlkit, json
for step in range(3):
    mlkit.log_metric("loss", rate / (step + 1), step=step)
mlkit.log_metric("auc", 0.5 + rate)
open(out, "w").write(json.dumps({"auc": 0.9, "rows": 3}))
"""


def train(folder: Path, body: str = CURVE, **keys: object) -> Path:
    """A pipeline of one stage that logs."""
    sketch = Sketch(
        name="train", body=body, declares="rate: float = 0.5", file="m.json", keys=dict(keys)
    )
    return write_pipeline(folder, sketch, parameters={"rate": 0.5})


POINTS = ((0.0, 0.5), (1.0, 0.25), (2.0, 0.5 / 3))


def test_what_is_logged_stands_everywhere(tmp_path: Path) -> None:
    """Record, run.json, event, database, table, report and view; the file's number has its own."""
    file, observer = train(tmp_path, metrics={"rows": "out.rows"}), RecordingObserver()
    record = run_fake(file, observers=[observer])
    metrics = {"loss": 0.5 / 3, "auc": 1.0, "rows": 3}
    assert record.stages["train"].metrics == metrics
    assert record.stages["train"].curves == {"loss": POINTS}
    kept = json.loads((tmp_path / "runs" / record.run_id / "run.json").read_text())
    assert RunRecord.from_json(kept).stages["train"].curves == {"loss": POINTS}
    assert kept["stages"]["train"]["metrics"] == metrics
    (ended,) = [e for e in observer.events if e.kind is EventKind.STAGE_FINISHED]
    assert ended.data["metrics"] == metrics
    assert mlkit.find_run("latest", tmp_path / "runs").stages["train"].curves == {"loss": POINTS}
    (row,) = mlkit.runs_table(file, columns=["loss", "auc", "rows"]).to_dict("records")
    assert row == {"train.loss": 0.5 / 3, "train.auc": 1.0, "train.rows": 3}
    page = render_report(record)
    assert "loss of train: 0.5 at step 0, 0.1667 at step 2" in page
    assert "<polyline" in page
    seen = stage_html(record, record.stages["train"], None, None)
    assert "<polyline" in seen
    assert "auc" in seen


def test_a_reuse_has_metrics_and_curves_again(tmp_path: Path) -> None:
    """Also when the run that computed them is gone."""
    file = train(tmp_path)
    first = run_fake(file)
    second = run_fake(file)
    with_database = Database(tmp_path / "runs" / "mlkit.db")
    with_database.delete_run(first.run_id)
    with_database.close()
    third = run_fake(file)
    for again in (second, third):
        assert again.stages["train"].status is mlkit.Status.CACHED
        assert again.stages["train"].metrics == {"loss": 0.5 / 3, "auc": 1.0}
        assert again.stages["train"].curves == first.stages["train"].curves


def test_the_attempt_that_counts_is_the_last_one(tmp_path: Path) -> None:
    """What a failed one logged stays in its folder, and in the record only if none succeeds."""
    half = 'import mlkit\nmlkit.log_metric("loss", 7)\nraise ValueError("no")'
    failed = run_fake(train(tmp_path / "a", half))
    assert failed.stages["train"].metrics == {"loss": 7.0}
    retried = run_fake(
        train(tmp_path / "b", retry={"max_retries": 1, "delay": 0}),
        runner=FakeRunner({"train": [Raises(), lambda request: None]}),
    )
    assert retried.stages["train"].attempts == 2
    assert retried.stages["train"].metrics == {"loss": 0.5 / 3, "auc": 1.0}
    place = tmp_path / "b" / "runs" / retried.run_id / "train" / "attempts"
    assert len((place / "2" / "metrics.jsonl").read_text().splitlines()) == 4


def test_a_database_of_before_learns_to_keep_them(tmp_path: Path) -> None:
    """A column is added; results of before have logged nothing."""
    import sqlite3

    file = train(tmp_path)
    run_fake(file)
    with sqlite3.connect(tmp_path / "runs" / "mlkit.db") as database:
        database.execute("ALTER TABLE fingerprints DROP COLUMN logged")
        database.execute("PRAGMA user_version=4")
    database.close()
    assert run_fake(file).stages["train"].status is mlkit.Status.CACHED
    assert run_fake(file, parameters={"rate": 0.25}).stages["train"].metrics is not None


STEPS = st.one_of(st.none(), st.integers(-5, 5), st.floats(-5, 5))
CALLS = st.lists(st.tuples(st.sampled_from("ab"), st.floats(-9, 9), STEPS), max_size=30)


@given(CALLS)
def test_the_last_value_counts_and_curves_are_in_order(
    calls: list[tuple[str, float, float | None]],
) -> None:
    """Held against the slow way; a JSON round trip changes nothing."""
    text = [json.dumps({"name": n, "value": v, "step": s}) for n, v, s in calls]
    found = logged_lines(text)
    assert found.metrics == {name: value for name, value, _ in calls}
    for name in {name for name, _, _ in calls}:
        own = [(v, s) for n, v, s in calls if n == name]
        unnumbered = 0
        expected: dict[float, float] = {}
        for value, step in own:
            expected[float(unnumbered if step is None else step)] = value
            unnumbered += step is None
        curve = tuple(sorted(expected.items()))
        assert found.curves.get(name, curve) == curve
        assert (name in found.curves) == (len(curve) > 1)
    assert Logged.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize(
    "line",
    [
        *("", "{", "3", '{"name": "a"}', '{"name": "a", "value": NaN}', '{"name": 1, "value": 1}'),
        *('{"name": "a", "value": "1"}', '{"name": "a", "value": true}', '{"name":"[","value":1}'),
    ],
)
def test_a_line_that_says_nothing_is_counted(line: str) -> None:
    """Other languages write lines, too."""
    assert logged_lines([line, '{"name": "ok", "value": 1}']) == Logged(
        metrics={"ok": 1.0}, wrong=1
    )


def test_a_long_curve_keeps_its_ends_and_its_peaks() -> None:
    """The record holds a thousand points of it."""
    values = [math.sin(n / 300) + (9 if n == 77_777 else 0) for n in range(100_000)]
    (curve,) = logged_lines(
        json.dumps({"name": "m", "value": v, "step": n}) for n, v in enumerate(values)
    ).curves.values()
    assert len(curve) <= MOST_POINTS
    assert (curve[0], curve[-1]) == ((0.0, values[0]), (99_999.0, values[-1]))
    assert (77_777.0, values[77_777]) in curve
    assert [step for step, _ in curve] == sorted({step for step, _ in curve})


@pytest.mark.kernel
def test_kernels_of_every_kind_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forked, stock, a process that the stage starts, and bash; nothing of it is a dependency."""
    add_kernel(tmp_path / "jupyter", "bash", [sys.executable, "-m", "bash_kernel"], "bash")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    child = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', "
    child += "'import mlkit; mlkit.log_metric(\"inner\", 2)'], check=True)\n"
    said = """echo '{"name": "lines", "value": 12}' >> "$MLKIT_METRICS"\necho x > "$out\""""
    file = write_pipeline(
        tmp_path / "p",
        Sketch(name="python", body=child + CURVE, declares="rate: float = 0.5", file="m.json"),
        Sketch(name="shell", keys={"kernel": "bash"}),
    )
    write_notebook(file.parent / "shell.ipynb", said, parameters='out="scratch/shell.txt"')
    forked = mlkit.run(file)
    assert forked.ok, {s.id: s.error for s in forked.stages.values()}
    measured = {"inner": 2.0, "loss": 0.5 / 3, "auc": 1.0}
    assert forked.stages["python"].metrics == measured
    assert forked.stages["shell"].metrics == {"lines": 12.0}
    assert mlkit.plan(file)["python"].action == "reuse"
    spawned = mlkit.run(file, options=mlkit.RunOptions(start="spawn", force=True))
    assert spawned.stages["python"].metrics == measured
    assert spawned.stages["python"].curves == forked.stages["python"].curves
