"""What an engine cannot express is refused with a sentence, never dropped."""

from __future__ import annotations

from mlkit.core.pipeline import Node, Pipeline, Stage
from mlkit.engines.registry import Engine
from mlkit.errors import UnsupportedByEngineError

__all__ = ["refusal", "refuse_composed_maps", "refuse_single_instances"]


def refusal(
    engine: Engine, pipeline: Pipeline, stage: Stage, fact: str, remedy: str
) -> UnsupportedByEngineError:
    """Make the error for a stage that an engine cannot express.

    Parameters
    ----------
    engine : Engine
        The engine.
    pipeline : Pipeline
        The pipeline.
    stage : Stage
        The stage; the error names it and its line.
    fact : str
        What the engine cannot do, as the end of the sentence `stage 'NAME': …`.
    remedy : str
        What to write instead.
    """
    return UnsupportedByEngineError(
        f"{engine.title} cannot express stage '{stage.name}': {fact}",
        pipeline.file.as_posix(),
        stage.line,
        remedy,
    )


def refuse_composed_maps(engine: Engine, pipeline: Pipeline) -> None:
    """Refuse maps over several parameters, and those whose instances wait for one another's.

    Raises
    ------
    UnsupportedByEngineError
        If there is such a stage.
    """
    for stage in pipeline.stages.values():
        if stage.foreach is not None and len(stage.foreach.axes) > 1:
            raise refusal(
                engine,
                pipeline,
                stage,
                f"it maps over {' and '.join(stage.foreach.parameters)}, and the export takes one "
                "parameter",
                "Map over one list of combinations, or run it without the engine",
            )
        chained = next((node for node in stage.upstream if node.is_chained), None)
        if chained is not None:
            raise refusal(
                engine,
                pipeline,
                stage,
                f"each instance waits for its own '{chained}', and the export waits for whole "
                "stages",
                f"Refer to '{chained.stage}' as a whole, or run it without the engine",
            )


def refuse_single_instances(engine: Engine, pipeline: Pipeline) -> None:
    """Refuse stages that wait for one instance of a mapped stage, where only all can be awaited.

    Raises
    ------
    UnsupportedByEngineError
        If there is such a stage.
    """
    for stage in pipeline.stages.values():
        single: Node | None = next((n for n in stage.upstream if n.value is not None), None)
        if single is not None:
            raise refusal(
                engine,
                pipeline,
                stage,
                f"it waits for {single} alone, and the engine waits for all instances of a mapped "
                "task or for none",
                f"Refer to '{single.stage}' as a whole, and pick from the list in the notebook",
            )
