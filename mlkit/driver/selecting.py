"""Which stages a run is to end, and what it takes from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mlkit.core.graph import ancestors, edges
from mlkit.core.pipeline import Pipeline
from mlkit.core.policies import Retry
from mlkit.core.values import label
from mlkit.driver.options import RunOptions
from mlkit.errors import UsageError
from mlkit.load.section import did_you_mean

__all__ = ["Selection", "select", "split_id", "without_retries"]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a run is to do.

    Parameters
    ----------
    stages : frozenset of str
        The stages to be ended.
    wanted : str, optional
        Of a mapped stage: the one instance, by its id.
    upstream : frozenset of str
        Stages that are not run but whose artifacts are needed.
    """

    stages: frozenset[str]
    wanted: str | None = None
    upstream: frozenset[str] = field(default=frozenset())

    def is_complete(self, pipeline: Pipeline) -> bool:
        """Whether it is the whole pipeline."""
        return self.stages == set(pipeline.stages) and self.wanted is None


def split_id(text: str) -> tuple[str, str | None]:
    """Split `STAGE` or `STAGE[VALUE]`."""
    stage, bracket, rest = text.partition("[")
    return (stage, rest.removesuffix("]")) if bracket and rest.endswith("]") else (text, None)


def select(pipeline: Pipeline, options: RunOptions) -> Selection:
    """Turn `--until` and `--only` into a selection.

    Raises
    ------
    UsageError
        If they name a stage or value that does not exist, or `--force` does.
    """
    graph = edges(pipeline)
    if isinstance(options.force, frozenset):
        for name in options.force:
            _check(pipeline, name)
    if options.only is not None and options.until is not None:
        raise UsageError("--only and --until exclude each other", remedy="Give one of them")
    if options.run_id is not None and options.only is None:
        raise UsageError("--run-id goes with --only", remedy="Name the stage: --only STAGE")
    if options.until is not None:
        name = _check(pipeline, options.until)
        return Selection(stages=ancestors(graph, [name]) | {name})
    if options.only is not None:
        name = _check(pipeline, options.only)
        wanted = options.only if split_id(options.only)[1] is not None else None
        return Selection(stages=frozenset({name}), wanted=wanted, upstream=ancestors(graph, [name]))
    return Selection(stages=frozenset(pipeline.stages))


def _check(pipeline: Pipeline, text: str) -> str:
    name, value = split_id(text)
    stage = pipeline.stages.get(name)
    if stage is None:
        raise UsageError(
            f"there is no stage '{name}' in {pipeline.name}",
            pipeline.file.as_posix(),
            remedy=did_you_mean(name, pipeline.stages),
        )
    if value is None:
        return name
    if stage.foreach is None:
        raise UsageError(f"stage '{name}' is not mapped", remedy=f"Write '{name}'")
    known = stage.foreach.values
    labels: Mapping[str, object] = {} if known is None else {label(v): v for v in known}
    if known is not None and value not in labels:
        raise UsageError(
            f"stage '{name}' has no value '{value}'", remedy=did_you_mean(value, labels)
        )
    return name


def without_retries(pipeline: Pipeline, selection: Selection) -> Pipeline:
    """Leave the retries of selected stages to the orchestrator that calls."""
    stages = dict(pipeline.stages)
    for name in selection.stages:
        stages[name] = replace(stages[name], retry=Retry())
    return replace(pipeline, stages=stages)
