"""A record that was written as JSON is read back as it was, also for another runs folder."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

from mlkit.core.record import (
    ArtifactRecord,
    AttemptRecord,
    ErrorRecord,
    RunRecord,
    StageRecord,
)
from mlkit.core.record_views import last_moment, moved
from mlkit.core.states import RunStatus, Status
from mlkit.core.values import encode

ERROR = ErrorRecord(type="E", message="m", bases=("a.E",), cell=3, traceback="t")
STAGE = StageRecord(
    id="s[v]",
    stage="s",
    status=Status.FAILED,
    reason="r",
    started=2.0,
    ended=9.0,
    history=(AttemptRecord(number=1, status=Status.FAILED, started=2.0, ended=9.5, error=ERROR),),
    artifacts={"out": ArtifactRecord(path="/one/runs/r/s/f", digest="d", size_bytes=1)},
    parameters={"day": dt.date(2013, 1, 2)},
    inputs={"a": "/one/runs/r/a/f", "many": ["/one/runs/r/a/g", None], "file": "/else/x"},
    error=ERROR,
    critical=False,
    source_run="q",
    engine_task="task",
)
RUN = RunRecord(
    run_id="r",
    pipeline="p",
    file="/p/pipeline.yaml",
    runs_dir="/one/runs",
    status=RunStatus.FAILED,
    started=1.0,
    ended=9.0,
    parameters={"x": float("inf")},
    options={"workers": 2},
    stages={STAGE.id: STAGE},
    edges={"s": ("a",)},
    warnings=("w",),
    complete=False,
    engine={"name": "airflow", "run_id": "x"},
)


def test_reading_undoes_writing() -> None:
    """Every field, through real JSON."""
    assert RunRecord.from_json(json.loads(json.dumps(RUN.to_full_json()))) == RUN


def test_paths_lead_into_the_folder_of_this_machine() -> None:
    """Those below the old runs folder; others stay."""
    stage = moved(RUN, "/two").stages["s[v]"]
    assert stage.artifacts["out"].path == "/two/r/s/f"
    assert stage.inputs == {"a": "/two/r/a/f", "many": ["/two/r/a/g", None], "file": "/else/x"}
    assert moved(moved(RUN, "/two"), "/one/runs") == RUN


def test_the_last_moment_is_the_latest_of_all() -> None:
    """Of the run, its stages and their attempts."""
    assert last_moment(RUN) == 9.5
    assert last_moment(replace(RUN, stages={}, ended=None)) == 1.0


def test_parameters_of_an_older_mlkit_come_back() -> None:
    """They were encoded twice."""
    value = {"x": float("inf"), "day": dt.date(2013, 1, 1), "plain": [1, {"a": "b"}]}
    now = replace(RUN, parameters=value).to_full_json()
    older = {**now, "format": 1, "parameters": encode(now["parameters"])}
    assert RunRecord.from_json(now).parameters == RunRecord.from_json(older).parameters == value
