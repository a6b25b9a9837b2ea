"""The assets of a pipeline, one for each artifact, and the checks that stages are. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterator

from mlkit.core.pipeline import Pipeline, Stage, StageOutput
from mlkit.core.triggers import TriggerRule
from mlkit.engines.python_text import call, literal, mapping, value
from mlkit.engines.questions import listed_labels

__all__ = ["asset_specs", "checked"]


def asset_specs(pipeline: Pipeline, group: str) -> Iterator[str]:
    """Write the assets of each stage: what they are read from, and the values that it maps over.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline, as it stands in pipeline.yaml.
    group : str
        What Dagster calls the pipeline.
    """
    for stage in pipeline.stages.values():
        if not stage.outputs:
            continue
        files = mapping({output: literal(made.name) for output, made in stage.outputs.items()})
        notebook = literal(os.path.relpath(stage.notebook, pipeline.folder))
        named = {"notebook": notebook, "group": literal(group)}
        above = _read(stage)
        if above:
            named["reads"] = value([list(key) for key in above])
        if stage.foreach is not None:
            named["over"] = _values(stage)
        yield f"*{call('artifacts', literal(stage.name), files, **named)}"


def _read(stage: Stage) -> list[tuple[str, str]]:
    """The artifacts that a stage reads, as keys."""
    sources = [*stage.inputs.values(), *(condition.source for condition in stage.when)]
    sources += [] if stage.foreach is None else stage.foreach.sources
    read = [(s.node.stage, s.output) for s in sources if isinstance(s, StageOutput)]
    return list(dict.fromkeys(read))


def _values(stage: Stage) -> str:
    labels = listed_labels(stage)
    assert stage.foreach is not None
    return literal(str(stage.foreach.source)) if labels is None else value(labels)


def checked(pipeline: Pipeline, stage: Stage) -> list[tuple[str, str]]:
    """The artifacts that a stage checks: it reads them, and others wait for its word alone.

    A stage whose artifacts nobody reads, and for whose success others wait by `after`, is there to
    say whether what it reads is good.
    """
    if stage.foreach is not None or stage.when:
        return []
    waits = reads = False
    for other in pipeline.stages.values():
        reads |= any(node.stage == stage.name for node in other.data_upstream)
        after = any(node.stage == stage.name for node in other.after)
        waits |= after and other.trigger is TriggerRule.ALL_SUCCESS
    keys = _read(stage)
    mapped = [name for name, _ in keys if pipeline.stages[name].foreach is not None]
    return keys if waits and not reads and not mapped else []
