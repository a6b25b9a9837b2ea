"""What an engine's call is told without anything being run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlkit import load_pipeline
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import AttemptRecord, ErrorRecord, RunRecord, StageRecord
from mlkit.core.states import RunStatus, Status
from mlkit.driver.answering import answered
from mlkit.driver.engine_ids import EngineIds
from mlkit.driver.selecting import Selection
from mlkit.testing import Sketch, write_pipeline

ENGINE = EngineIds(name="kubeflow", run_id="7", task_id="1", retries_all=True)


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """`first → second`; only an answer that does not come is tried again."""
    policy = {"max_retries": 3, "on": ["ConnectionError"]}
    return load_pipeline(
        write_pipeline(
            tmp_path,
            Sketch(name="first", keys={"retry": policy}),
            Sketch(name="second", upstream=("first",)),
        )
    )


def _record(pipeline: Pipeline, error: str) -> RunRecord:
    """A run in which the first stage has failed."""
    found = ErrorRecord(type=error, message="no", bases=(f"builtins.{error}", "builtins.Exception"))
    attempt = AttemptRecord(number=1, status=Status.FAILED, started=1.0, ended=2.0, error=found)
    first = StageRecord(
        id="first", stage="first", status=Status.FAILED, error=found, history=(attempt,)
    )
    return RunRecord(
        run_id="r",
        pipeline=pipeline.name,
        file=str(pipeline.file),
        runs_dir="runs",
        status=RunStatus.FAILED,
        started=1.0,
        stages={"first": first},
        engine=ENGINE.run,
    )


def _stage(name: str) -> Selection:
    return Selection(stages=frozenset({name}))


def test_what_the_policy_does_not_retry_is_not_run_again(pipeline: Pipeline) -> None:
    """The engine repeats the call; the answer is the failure that there was."""
    record = _record(pipeline, "ValueError")
    answer = answered(pipeline, record, _stage("first"), ENGINE)
    assert answer is not None
    assert answer.stages["first"] == record.stages["first"]


def test_what_the_policy_retries_is_run_again(pipeline: Pipeline) -> None:
    """The engine counts."""
    record = _record(pipeline, "ConnectionError")
    assert answered(pipeline, record, _stage("first"), ENGINE) is None


def test_another_run_of_the_engine_starts_afresh(pipeline: Pipeline) -> None:
    """So does an engine that asks before it retries, and a person always."""
    record = _record(pipeline, "ValueError")
    for engine in (replace(ENGINE, run_id="8"), replace(ENGINE, retries_all=False), None):
        assert answered(pipeline, record, _stage("first"), engine) is None
    assert answered(pipeline, None, _stage("first"), ENGINE) is None


def test_a_stage_behind_a_failure_is_not_to_run(pipeline: Pipeline) -> None:
    """An engine that calls it is told so, though nobody had called it before."""
    answer = answered(pipeline, _record(pipeline, "ValueError"), _stage("second"), ENGINE)
    assert answer is not None
    assert answer.stages["second"].status is Status.UPSTREAM_FAILED
