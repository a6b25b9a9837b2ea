"""What every engine's compiler asks of a pipeline. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlkit.core.pipeline import Pipeline, Stage
from mlkit.core.triggers import TriggerRule
from mlkit.core.values import label

__all__ = ["EARLY", "listed_labels", "shown_parameters", "told_stages"]

EARLY = frozenset({TriggerRule.ONE_SUCCESS, TriggerRule.ONE_FAILED})
"""Rules that may decide before the stages whose artifacts are read have ended."""


def listed_labels(stage: Stage) -> list[str] | None:
    """The labels of a mapped stage's values; None if they stand in an artifact."""
    assert stage.foreach is not None
    return None if stage.foreach.values is None else list(map(label, stage.foreach.values))


def told_stages(pipeline: Pipeline) -> list[str]:
    """The stages of whose end people are told."""
    stages = pipeline.stages.values()
    return [stage.name for stage in stages if stage.notify.on_failure or stage.notify.on_success]


def shown_parameters(pipeline: Pipeline, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that an engine may keep and show, with their values.

    Secrets are none of them, nor is what mlkit takes from the environment of the tasks.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    given : mapping of str to object
        Values given beside pipeline.yaml.
    """
    secret = {
        name
        for stage in pipeline.stages.values()
        for name, item in stage.configurable.items()
        if item.spec.is_secret
    }
    merged = {**pipeline.parameters, **given}
    return {n: item for n, item in merged.items() if n not in secret and "${" not in repr(item)}
