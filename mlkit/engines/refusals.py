"""What an engine cannot express is refused with a sentence, never dropped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mlkit.core.pipeline import Pipeline, Stage
from mlkit.engines.export import ExportSettings
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
    """Name the maps that no export expresses."""
    for stage in pipeline.stages.values():
        if stage.foreach is not None and len(stage.foreach.axes) > 1 and stage.foreach.size is None:
            yield Refusal(
                stage=stage,
                fact=f"it maps over {' and '.join(stage.foreach.parameters)}, and one of the lists "
                "stands in an artifact, which the export takes for one parameter alone",
                remedy="Write the lists down, or run it without the engine",
            )
        for node in stage.upstream:
            over = pipeline.stages[node.stage].foreach
            if node.is_chained and (over is None or over.size is None):
                yield Refusal(
                    stage=stage,
                    fact=f"each instance waits for its own '{node}', which the export writes down "
                    "only where the list is known",
                    remedy="Write the list down, or run it without the engine",
                )


def unreadable(pipeline: Pipeline, settings: ExportSettings) -> Iterator[Refusal]:
    """Name the stages whose conditions or lists an engine would read from a folder that is none.

    The engine's own tasks read them, and know nothing of stores.
    """
    for stage in pipeline.stages.values():
        if isinstance(settings.runs_dir, str) and (
            stage.when or (stage.foreach is not None and stage.foreach.sources)
        ):
            yield Refusal(
                stage=stage,
                fact=f"its condition or its list is read from a folder, which {settings.runs_dir} "
                "is not",
                remedy="Name a folder that all tasks share by --runs-dir, or use prefect",
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
