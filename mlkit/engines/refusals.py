"""What an engine cannot express is refused with a sentence, never dropped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mlkit.core.pipeline import Pipeline, Stage
from mlkit.engines.registry import Engine
from mlkit.errors import UnsupportedByEngineError

__all__ = ["Refusal", "composed_maps", "other_schedules", "refuse"]


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Something of a pipeline that an engine cannot express.

    Parameters
    ----------
    stage : Stage, optional
        The stage, which the error names with its line; None if it is the pipeline as a whole.
    fact : str
        What the engine cannot do, as the end of the sentence `cannot express stage 'NAME': …`.
    remedy : str
        What to write instead.
    """

    stage: Stage | None
    fact: str
    remedy: str


def refuse(engine: Engine, pipeline: Pipeline, refusals: Iterable[Refusal]) -> None:
    """Raise the first of some refusals; without any, nothing happens.

    Raises
    ------
    UnsupportedByEngineError
        With the stage, its line, the fact and the remedy.
    """
    for found in refusals:
        what = "this pipeline" if found.stage is None else f"stage '{found.stage.name}'"
        raise UnsupportedByEngineError(
            f"{engine.title} cannot express {what}: {found.fact}",
            pipeline.file.as_posix(),
            None if found.stage is None else found.stage.line,
            found.remedy,
        )


def composed_maps(pipeline: Pipeline) -> Iterator[Refusal]:
    """Name maps over several parameters, and those whose instances wait for one another's."""
    for stage in pipeline.stages.values():
        if stage.foreach is not None and len(stage.foreach.axes) > 1:
            yield Refusal(
                stage=stage,
                fact=f"it maps over {' and '.join(stage.foreach.parameters)}, and the export takes "
                "one parameter",
                remedy="Map over one list of combinations, or run it without the engine",
            )
        chained = next((node for node in stage.upstream if node.is_chained), None)
        if chained is not None:
            yield Refusal(
                stage=stage,
                fact=f"each instance waits for its own '{chained}', and the export waits for whole "
                "stages",
                remedy=f"Refer to '{chained.stage}' as a whole, or run it without the engine",
            )


def other_schedules(pipeline: Pipeline) -> Iterator[Refusal]:
    """Name what an engine would make another schedule of."""
    if pipeline.schedule is None:
        return
    zone, when = pipeline.timezone, pipeline.schedule
    said = {
        f"its schedule '{when}' is no cron expression": when.lower().startswith("every"),
        f"its schedule follows the clock of {zone}": zone.upper() != "UTC",
        "runs of its schedule may overlap": pipeline.overlap,
    }
    for fact, is_there in said.items():
        if is_there:
            yield Refusal(
                stage=None,
                fact=fact,
                remedy="Keep that schedule by 'mlkit serve', or give the engine cron in UTC",
            )
