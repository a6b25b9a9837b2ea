"""How far a run has come, from its events alone."""

from __future__ import annotations

from functools import reduce
from pathlib import Path

from mlkit.core.events import Event, EventKind
from mlkit.core.states import Status
from mlkit.load.pipeline_file import load_pipeline
from mlkit.testing import chain
from mlkit.widgets.views.live_run import Progress, follow, record_of


def _event(kind: EventKind, time: float, stage: str | None = None, **data: object) -> Event:
    attempt = 1 if stage else None
    return Event(kind=kind, time=time, run_id="r", stage=stage, attempt=attempt, data=data)


BEGUN = (
    _event(EventKind.RUN_STARTED, 100.0, pipeline="p", stages=["s1", "s2"]),
    _event(EventKind.ATTEMPT_STARTED, 101.0, "s1", cells=3, reason="never run"),
)
FAILED = (
    *BEGUN,
    _event(
        EventKind.ATTEMPT_FINISHED,
        103.0,
        "s1",
        status="failed",
        error={"type": "ValueError", "message": "no"},
    ),
    _event(EventKind.RETRY_SCHEDULED, 103.0, "s1", delay_s=1.0),
)


def test_a_running_attempt_reaches_to_the_present(tmp_path: Path) -> None:
    """Its bar grows with the clock; the stage after it waits."""
    progress = reduce(follow, BEGUN, Progress())
    record = record_of(progress, load_pipeline(chain(tmp_path, 2)), 104.5, tmp_path)
    (attempt,) = record.stages["s1"].history
    assert (attempt.started, attempt.ended, attempt.status) == (101.0, 104.5, Status.RUNNING)
    assert record.stages["s2"].status is Status.WAITING


def test_a_failed_attempt_stays_beside_its_retry(tmp_path: Path) -> None:
    """Both stand in the record, the first with its error."""
    again = _event(EventKind.ATTEMPT_STARTED, 104.0, "s1", cells=3)
    progress = reduce(follow, (*FAILED, again), Progress())
    record = record_of(progress, load_pipeline(chain(tmp_path, 2)), 105.0, tmp_path)
    states = [attempt.status for attempt in record.stages["s1"].history]
    assert states == [Status.FAILED, Status.RUNNING]
    error = record.stages["s1"].history[0].error
    assert error is not None
    assert (error.type, error.message) == ("ValueError", "no")
