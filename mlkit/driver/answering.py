"""What is answered to an engine's call without running anything."""

from __future__ import annotations

from dataclasses import replace

from mlkit.core.pipeline import Pipeline, Stage
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import Status
from mlkit.driver.engine_ids import EngineIds
from mlkit.driver.joined import may_retry, with_uncalled
from mlkit.driver.selecting import Selection

__all__ = ["answered"]


def answered(
    pipeline: Pipeline, record: RunRecord | None, selection: Selection, engine: EngineIds | None
) -> RunRecord | None:
    """Give the record of a run in which the stage called for is not to run; None if it may. Pure.

    An engine may call a stage whose upstream has failed, and some engines repeat every failed call
    of a run, also where the stage's policy does not allow another attempt.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline, with its retry policies.
    record : RunRecord, optional
        What is known of the run.
    selection : Selection
        The stage or instance called for.
    engine : EngineIds, optional
        The engine that calls; a person's call is always obeyed.
    """
    if engine is None or record is None:
        return None
    stages = with_uncalled(pipeline, record.stages)
    wanted = [i for i in stages.values() if _is_called(pipeline.stages[i.stage], i, selection)]
    if wanted and all(_is_final(pipeline, record, item, engine) for item in wanted):
        return replace(record, stages=stages)
    return None


def _is_called(stage: Stage, item: StageRecord, selection: Selection) -> bool:
    return item.stage in selection.stages and selection.has_id(stage, item.id)


def _is_final(pipeline: Pipeline, record: RunRecord, item: StageRecord, engine: EngineIds) -> bool:
    if item.status is Status.UPSTREAM_FAILED:
        return True
    repeats = engine.retries_all and (record.engine or {}).get("run_id") == engine.run_id
    retry = pipeline.stages[item.stage].retry
    return repeats and item.status is Status.FAILED and not may_retry(item, retry)
