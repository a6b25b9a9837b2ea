"""What Prefect cannot express."""

from __future__ import annotations

from mlkit.core.pipeline import Pipeline, Stage
from mlkit.engines.refusals import refusal
from mlkit.engines.registry import ENGINES
from mlkit.errors import UnsupportedByEngineError

__all__ = ["check"]

_ENGINE = ENGINES["prefect"]
_MAX_DELAYS = 50


def check(pipeline: Pipeline) -> None:
    """Refuse what Prefect cannot express.

    Raises
    ------
    UnsupportedByEngineError
        Naming the stage, its line and the remedy.
    """
    if "run_id" in pipeline.parameters:
        raise UnsupportedByEngineError(
            "Prefect's flow has a parameter 'run_id' of its own, as this pipeline has",
            pipeline.file.as_posix(),
            remedy="Give the pipeline's parameter another name",
        )
    images: dict[str, str] = {}
    for stage in pipeline.stages.values():
        _check_delays(pipeline, stage)
        if stage.image is not None:
            images.setdefault(stage.image, stage.name)
        if len(images) > 1:
            first = next(iter(images))
            raise refusal(
                _ENGINE,
                pipeline,
                stage,
                f"one job runs the whole flow, in the image that stage '{images[first]}' names "
                f"({first})",
                "Give every stage the same image, or use an engine that has one for each task",
            )
    _check_selectors(pipeline)


def _check_delays(pipeline: Pipeline, stage: Stage) -> None:
    retry = stage.retry
    grows = retry.backoff != 1 and retry.delay_s > 0
    last = retry.delay_s * retry.backoff ** (_MAX_DELAYS - 1)
    capped = retry.max_delay_s is not None and last >= retry.max_delay_s
    if retry.max_retries > _MAX_DELAYS and grows and not capped:
        raise refusal(
            _ENGINE,
            pipeline,
            stage,
            f"it takes at most {_MAX_DELAYS} different delays between retries, not "
            f"{retry.max_retries}",
            "Set 'max_delay', or fewer 'max_retries'",
        )


def _check_selectors(pipeline: Pipeline) -> None:
    wanted: dict[str, tuple[str, str]] = {}
    for stage in pipeline.stages.values():
        for key, value in stage.resources.node_selector.items():
            other, name = wanted.setdefault(key, (value, stage.name))
            if other != value:
                raise refusal(
                    _ENGINE,
                    pipeline,
                    stage,
                    f"one job runs the whole flow, and stage '{name}' wants a node whose '{key}' "
                    f"is {other}, not {value}",
                    "Want one kind of node, or use an engine that places each task",
                )
