"""What every engine's compiler asks of a pipeline. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlkit.core.instances import written
from mlkit.core.pipeline import Node, Pipeline, Stage
from mlkit.core.triggers import TriggerRule

__all__ = ["EARLY", "listed_labels", "picked_label", "shown_parameters"]

EARLY = frozenset({TriggerRule.ONE_SUCCESS, TriggerRule.ONE_FAILED})
"""Rules that may decide before the stages whose artifacts are read have ended."""


def listed_labels(stage: Stage) -> list[str] | None:
    """A mapped stage's values as they stand in ids; None if they stand in an artifact."""
    assert stage.foreach is not None
    return None if stage.foreach.values is None else list(map(written, stage.foreach.values))


def picked_label(node: Node) -> str | None:
    """The one value of a mapped stage that a node means, as in ids; None if it means all."""
    return next(iter(node.wanted({}).values()), None)


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
