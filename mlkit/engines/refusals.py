"""What an engine cannot express is refused with a sentence, never dropped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePath

from mlkit.core.pipeline import Pipeline, Stage
from mlkit.engines.export import Export
from mlkit.engines.questions import stages_between, together
from mlkit.engines.registry import Engine
from mlkit.errors import UnsupportedByEngineError
from mlkit.frozen import dataclass

__all__ = [
    "Refusal",
    "composed_maps",
    "long_files",
    "long_name",
    "not_one_by_one",
    "not_one_loop",
    "refuse",
    "without_handing_on",
    "without_past",
]

_LONGEST_FILE_BYTES = 255
"""What Linux's and macOS's file systems take as a name."""


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


def long_name(stage: Stage | None, name: str, most: int) -> Iterator[Refusal]:
    """Name a name that an engine finds too long; it would say so when it loads the file.

    Parameters
    ----------
    stage : Stage, optional
        The stage whose name it is made of; None if it is the pipeline's.
    name : str
        What the engine would call it.
    most : int
        How many characters the engine takes.
    """
    if len(name) > most:
        yield Refusal(
            stage=stage,
            fact=f"it would be called '{name[:20]}…' there, with {len(name)} characters, and "
            f"{most} are the most",
            remedy="Shorten 'name'" if stage is None else "Shorten what that is made of",
        )


def long_files(made: Export) -> Iterator[Refusal]:
    """Name a file that could not be written: it is called after the pipeline."""
    for file in made.files:
        yield from long_name(None, file, _LONGEST_FILE_BYTES)


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


def not_one_by_one(pipeline: Pipeline) -> Iterator[Refusal]:
    """Name what an engine cannot do that runs the values of a list by one loop."""
    loops = together(pipeline)
    for name, loop in loops.items():
        stage = pipeline.stages[name]
        for node in stage.upstream:
            if node.stage in loop and not node.is_chained:
                yield Refusal(
                    stage=stage,
                    fact=f"it waits for '{node}' as a whole, to which its instances are chained "
                    "over a list that stands in an artifact",
                    remedy="Write the list down, or put a stage without 'foreach' between them",
                )
        if stage.is_chained and stage.wait_for is not None:
            yield Refusal(
                stage=stage,
                fact="'wait_for', in a chain over a list that stands in an artifact",
                remedy="Write the list down, or wait in a stage before the chain",
            )


def without_past(engine: Engine, pipeline: Pipeline) -> Iterator[Refusal]:
    """Name the stages that wait for their success in the interval before, where none is known."""
    for stage in pipeline.stages.values():
        if stage.depends_on_past and not engine.knows_the_past:
            yield Refusal(
                stage=stage,
                fact="'depends_on_past', for its schedule knows nothing of the interval before",
                remedy="Keep that schedule by 'mlkit serve', or export it to Airflow",
            )


def not_one_loop(pipeline: Pipeline) -> Iterator[Refusal]:
    """Name what an engine cannot do for which a loop with several stages is a whole."""
    yield from not_one_by_one(pipeline)
    for name, above in stages_between(pipeline):
        yield Refusal(
            stage=pipeline.stages[name],
            fact=f"it waits for '{above}', which waits for the loop that '{name}' is in",
            remedy="Write the list down, or chain the two stages otherwise",
        )


def without_handing_on(
    pipeline: Pipeline, engine: Engine, runs_dir: PurePath | str
) -> Iterator[Refusal]:
    """Name the stages whose pods could not hand on artifacts: no volume holds the runs folder.

    And those that have volumes where none are mounted.
    """
    for stage in pipeline.stages.values():
        if stage.volumes and not engine.mounts:
            yield Refusal(
                stage=stage,
                fact="its 'volumes', which are not mounted there",
                remedy="Leave them out, and share the runs by a URL: --runs-dir s3://bucket/runs",
            )
    place = PurePath(str(runs_dir).removeprefix("file://"))
    if not engine.has_pods or "://" in str(runs_dir).removeprefix("file://"):
        return
    for stage in pipeline.stages.values():
        claims = [item.path for item in stage.volumes.values() if item.kind == "claim"]
        if stage.image is not None and not any(map(place.is_relative_to, claims)):
            yield Refusal(
                stage=stage,
                fact=f"in its image it is a pod of its own, and no volume holds {place}, where "
                "the next one would look for its artifacts",
                remedy="Write volumes: {work: {claim: data, path: /data}} in defaults and give "
                "--runs-dir file:///data/runs, or share a URL such as --runs-dir s3://bucket/runs",
            )
