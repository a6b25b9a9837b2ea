"""How a run's record reads in another place, and later: moved, half done, or killed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import FINISHED, RunStatus, Status

__all__ = [
    "UNFINISHED_FOR_S",
    "is_half_done",
    "killed",
    "last_moment",
    "moved",
    "moved_stage",
    "stage_moment",
]


def moved(record: RunRecord, runs_dir: str) -> RunRecord:
    """The record as it reads in another runs folder: the paths in it lead there."""
    stages = {
        name: moved_stage(stage, record.runs_dir, runs_dir) for name, stage in record.stages.items()
    }
    return replace(record, runs_dir=runs_dir, stages=stages)


def moved_stage(stage: StageRecord, old_dir: str, runs_dir: str) -> StageRecord:
    """The record of a stage as it reads in another runs folder."""
    if old_dir == runs_dir:
        return stage
    old = old_dir.rstrip("/") + "/"

    def move(value: Any) -> Any:
        if isinstance(value, str):
            return f"{runs_dir}/{value[len(old) :]}" if value.startswith(old) else value
        return [move(item) for item in value] if isinstance(value, list) else value

    return replace(
        stage,
        artifacts={k: replace(a, path=move(a.path)) for k, a in stage.artifacts.items()},
        inputs={key: move(value) for key, value in stage.inputs.items()},
    )


UNFINISHED_FOR_S = 7 * 86_400.0
"""How long a run whose stages an orchestrator calls one by one counts as going on."""


def is_half_done(record: RunRecord, now: float, limit_s: float = UNFINISHED_FOR_S) -> bool:
    """Whether an orchestrator may still call stages of a run.

    Until the run has ended, or nothing has happened for some days. A run from the future (of a
    clock that was wrong) is as far away as one from the past.
    """
    orchestrated = bool(record.options.get("joined")) or record.engine is not None
    return orchestrated and record.ended is None and abs(now - last_moment(record)) < limit_s


def killed(record: RunRecord) -> RunRecord:
    """A run whose process is gone: what had not ended by then never will."""
    gone = {
        name: stage
        if stage.status in FINISHED
        else replace(stage, status=Status.CANCELLED, reason="its process was killed")
        for name, stage in record.stages.items()
    }
    return replace(record, status=RunStatus.KILLED, stages=gone)


def last_moment(record: RunRecord) -> float:
    """When something of a run changed last, in seconds since 1970."""
    stages = [stage_moment(stage) for stage in record.stages.values()]
    return max([record.started, record.ended or 0.0, *stages])


def stage_moment(stage: StageRecord) -> float:
    """When something of a stage changed last; 0 if it has not begun."""
    moments = [stage.started, stage.ended, *(attempt.ended for attempt in stage.history)]
    return max((moment for moment in moments if moment is not None), default=0.0)
