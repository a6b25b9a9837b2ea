"""How a run's record reads in another place, and later: moved, half done, or killed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mlkit.core.record import AttemptRecord, ErrorRecord, RunRecord, StageRecord
from mlkit.core.states import FINISHED, RunStatus, Status

__all__ = [
    "LOST_PROCESS",
    "UNFINISHED_FOR_S",
    "is_half_done",
    "killed",
    "last_moment",
    "moved",
    "moved_stage",
    "stage_moment",
    "with_lost_attempt",
]


def moved(record: RunRecord, runs_dir: str) -> RunRecord:
    """The record as it reads in another runs folder: the paths in it lead there."""
    if record.runs_dir == runs_dir:
        return record
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


LOST_PROCESS = "its process was killed"


def killed(record: RunRecord, last_signs: Mapping[str, float]) -> RunRecord:
    """A run whose process is gone: what had not ended by then never will.

    Parameters
    ----------
    record : RunRecord
        The run as it was written down last.
    last_signs : mapping of str to float
        When something was heard of each of its instances last, as far as that is known.
    """
    gone = {
        name: stage
        if stage.status in FINISHED
        else replace(
            with_lost_attempt(stage, last_signs.get(name)),
            status=Status.CANCELLED,
            reason=LOST_PROCESS,
        )
        for name, stage in record.stages.items()
    }
    return replace(record, status=RunStatus.KILLED, stages=gone)


def with_lost_attempt(stage: StageRecord, last_sign: float | None) -> StageRecord:
    """A stage whose process is gone, with the attempt that was under way, if one was.

    Parameters
    ----------
    stage : StageRecord
        The stage as it was written down last.
    last_sign : float, optional
        When something was heard of it last, in seconds since 1970.
    """
    if stage.status in FINISHED or stage.begun is None:
        return stage
    attempt = AttemptRecord(
        number=stage.attempts + 1,
        status=Status.LOST,
        started=stage.begun,
        ended=max(stage.begun, last_sign or 0.0),
        error=ErrorRecord(
            type="LostProcess",
            message="its process is gone without a word: it was killed, or its machine went away",
        ),
    )
    return replace(stage, history=(*stage.history, attempt), begun=None)


def last_moment(record: RunRecord) -> float:
    """When something of a run changed last, in seconds since 1970."""
    stages = [stage_moment(stage) for stage in record.stages.values()]
    return max([record.started, record.ended or 0.0, *stages])


def stage_moment(stage: StageRecord) -> float:
    """When something of a stage changed last; 0 if it has not begun."""
    ends = (attempt.ended for attempt in stage.history)
    moments = [stage.started, stage.ended, stage.begun, *ends]
    return max((moment for moment in moments if moment is not None), default=0.0)
