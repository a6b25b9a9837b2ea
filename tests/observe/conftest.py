"""Events and records for observers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mlkit.core.events import Event, EventKind
from mlkit.core.record import AttemptRecord, ErrorRecord, RunRecord, StageRecord
from mlkit.core.states import RunStatus, Status

ERROR = {"type": "ConnectionError", "message": "went away\nsecond line", "cell": 2}


class Telling:
    """Makes events one second apart, as a driver emits them."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(
        self, kind: EventKind, stage: str | None = None, attempt: int | None = None, **data: Any
    ) -> Event:
        """Make the next event."""
        self.now += 1.0
        return Event(kind=kind, time=self.now, run_id="R1", stage=stage, attempt=attempt, data=data)


@pytest.fixture
def story() -> list[Event]:
    """A run in which one stage is retried, one is mapped, one fails, and one cannot run."""
    tell = Telling()
    kind = EventKind
    return [
        tell(kind.RUN_STARTED, pipeline="demo", stages=["load", "train", "use"], workers=2),
        tell(kind.ATTEMPT_STARTED, "load", 1, cells=3, reason="never run"),
        tell(kind.CELL_STARTED, "load", 1, cell=2, cells=3),
        tell(kind.ATTEMPT_FINISHED, "load", 1, status="failed", seconds=1.0, error=ERROR),
        tell(kind.RETRY_SCHEDULED, "load", 1, delay_s=1.5, next_attempt=2, error=ERROR),
        tell(kind.ATTEMPT_STARTED, "load", 2, cells=3, reason="retry"),
        tell(kind.ATTEMPT_FINISHED, "load", 2, status="succeeded", seconds=1.0, error=None),
        tell(
            kind.STAGE_FINISHED,
            "load",
            status="succeeded",
            reason="never run",
            seconds=4.5,
            attempts=2,
            outputs={},
            error=None,
        ),
        tell(kind.STAGE_MAPPED, "train", instances=["train[a]", "train[b]"]),
        tell(kind.STAGE_FINISHED, "train[a]", status="cached", reason="unchanged", attempts=0),
        tell(kind.ATTEMPT_STARTED, "train[b]", 1, cells=5, reason="parameter b changed"),
        tell(kind.WARNING, "train[b]", message="the store was mended"),
        tell(kind.ATTEMPT_FINISHED, "train[b]", 1, status="failed", seconds=2.0, error=ERROR),
        tell(
            kind.STAGE_FINISHED, "train[b]", status="failed", seconds=2.0, attempts=1, error=ERROR
        ),
        tell(kind.NOTIFIED, "train[b]", url_scheme="json", ok=False, message="refused"),
        tell(kind.STAGE_FINISHED, "use", status="upstream_failed", reason="train[b] failed"),
        tell(kind.RUN_FINISHED, status="failed", seconds=16.0, counts={"failed": 1}),
    ]


@pytest.fixture
def make_record() -> Callable[..., RunRecord]:
    """A maker of records: stages by their status."""

    def make(status: RunStatus, **stages: Status) -> RunRecord:
        error = ErrorRecord(type="ValueError", message="bad value.\nmore", cell=4)
        records = {}
        for name, state in stages.items():
            failed = error if state is Status.FAILED else None
            history = (
                (AttemptRecord(number=1, status=state, started=0.0, ended=2.0, error=failed),)
                if state in (Status.SUCCEEDED, Status.FAILED)
                else ()
            )
            records[name] = StageRecord(
                id=name, stage=name, status=state, history=history, error=failed
            )
        return RunRecord(
            run_id="R1",
            pipeline="demo",
            file="/project/pipeline.yaml",
            runs_dir="/project/runs",
            status=status,
            started=0.0,
            ended=3.0,
            stages=records,
        )

    return make
