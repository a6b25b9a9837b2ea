"""What a stage receives outside of a run: the same values and surroundings, folders of its own."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from mlkit.core.configuration import Configuration
from mlkit.core.pipeline import ExternalFile, Instance, Node, Pipeline, RunOutput
from mlkit.core.record import ArtifactRecord, RunRecord, StageRecord
from mlkit.core.scrubbing import Scrubber
from mlkit.core.subsets import is_in, subset_of
from mlkit.driver.mlflow_store import prepare_store
from mlkit.driver.selecting import Selection, meant
from mlkit.driver.state import RunState
from mlkit.driver.submission import MissingInputError, fitting, values_for
from mlkit.driver.surroundings import attempt_environment, kernel_environment, with_tracking
from mlkit.driver.written_outputs import make_room
from mlkit.errors import ExecutionError, UsageError
from mlkit.lab.desk import Desk
from mlkit.notebook.foreign import source_to_inject
from mlkit.notebook.injection import Assignment
from mlkit.notebook.source import read_notebook
from mlkit.planner.inputs import ResolvedInputs, resolve_inputs
from mlkit.planner.mapping import MappingError, instances_of
from mlkit.store.connection import open_to_read
from mlkit.store.tracking import TRACKING_FILE

__all__ = ["choose_instance", "known_instance", "make_desk"]

RUN_ID = "edit"
"""What stands for a run's id where somebody works on a stage outside of any."""


def known_instance(pipeline: Pipeline, name: str) -> Instance | None:
    """Give the instance that a name means first; None while its list has yet to be made.

    Raises
    ------
    UsageError
        If there is no such stage or instance.
    """
    node = meant(pipeline, name)
    foreach = pipeline.stages[node.stage].foreach
    if foreach is not None and any(axis.source is not None for axis in foreach.axes):
        return None
    return _first(pipeline, node, RunState(pipeline, Selection(stages=frozenset())))


def choose_instance(pipeline: Pipeline, name: str, record: RunRecord | None) -> Instance:
    """Give the instance that a name means first, now that its upstream is there.

    Raises
    ------
    UsageError
        If there is no such stage or instance.
    """
    return _first(pipeline, meant(pipeline, name), _state(pipeline, record))


def make_desk(
    pipeline: Pipeline,
    configuration: Configuration,
    instance: Instance,
    record: RunRecord | None,
    environ: Mapping[str, str],
    *,
    folder: Path,
    runs_dir: Path,
) -> Desk:
    """Lay out what one instance of a stage needs in order to be worked on.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    configuration : Configuration
        Its parameters.
    instance : Instance
        The stage, or one value of it.
    record : RunRecord, optional
        The run that made its inputs; None if it reads none of another stage.
    environ : mapping of str to str
        The environment that kernels start from.
    folder : Path
        An empty folder that is private.
    runs_dir : Path
        The runs folder.

    Raises
    ------
    ExecutionError
        If an input was not made, and the notebook cannot do without.
    """
    stage, cwd, out = instance.stage, folder / "cwd", folder / "out"
    runs = folder / "runs"
    runs.mkdir()
    inputs = _inputs(pipeline, configuration, instance, record)
    assignments = values_for(configuration, instance, inputs)
    facts = {
        "MLKIT_RUNS_DIR": str(runs),
        "MLKIT_RUN_ID": RUN_ID,
        "MLKIT_STAGE": instance.id,
        "MLKIT_ATTEMPT": "1",
    }
    shared = {**kernel_environment(environ), **configuration.settings(instance)}
    env = with_tracking(attempt_environment(shared, facts, assignments), pipeline.name)
    _copy_tracking(runs_dir, runs)
    prepare_store(read_notebook(Path(stage.notebook)), env)

    def tidy() -> None:
        for place in (cwd, out):
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
        make_room(stage.outputs, out)

    outputs = tuple(
        Assignment(name=name, value=str(out / output.path), declaration=stage.declared.get(name))
        for name, output in stage.outputs.items()
        if name in stage.declared or not output.is_notebook
    )
    given = (*assignments, *outputs)
    title = f"Injected by mlkit edit: stage '{instance.id}' with its real inputs. Never in the file"
    tidy()
    return Desk(
        stage_id=instance.id,
        notebook=Path(stage.notebook),
        cell=source_to_inject(given, title, stage.kernel) if given else "",
        cwd=cwd,
        outputs=out,
        env=env,
        kernel=stage.kernel,
        scrubber=Scrubber(configuration.secrets),
        tidy=tidy,
    )


def _state(pipeline: Pipeline, record: RunRecord | None) -> RunState:
    """What a run has made, as the state that answers for it."""
    given: Mapping[str, StageRecord] = {} if record is None else record.stages
    return RunState(pipeline, Selection(stages=frozenset()), given)


def _first(pipeline: Pipeline, node: Node, state: RunState) -> Instance:
    stage = pipeline.stages[node.stage]
    try:
        found = instances_of(stage, state.find)
    except MappingError as error:
        raise UsageError(f"stage '{stage.name}': {error}", pipeline.file.as_posix()) from None
    wanted = (
        [item for item in found if is_in(subset_of(node), item.labels)] if node.picks else found
    )
    if not wanted:
        names = ", ".join(item.id for item in found[:6]) + (", …" if len(found) > 6 else "")
        raise UsageError(
            f"there is no instance '{node}'",
            pipeline.file.as_posix(),
            code="E101",
            remedy=f"There are: {names}" if found else "The list that it maps over is empty",
        )
    return wanted[0]


def _inputs(
    pipeline: Pipeline, configuration: Configuration, instance: Instance, record: RunRecord | None
) -> ResolvedInputs:
    state, name = _state(pipeline, record), instance.stage.name

    def made(node: Node, output: str) -> list[tuple[str, ArtifactRecord | None]]:
        return state.made(node, output, instance.labels)

    files: dict[str, list[tuple[str, ArtifactRecord]]] = {}
    for key, source in instance.stage.inputs.items():
        if isinstance(source, ExternalFile):
            path = Path(configuration.files[f"{name}.{key}"])
            files[key] = [(key, _as_it_is(path))] if path.exists() else []
        elif isinstance(source, RunOutput):
            files[key] = [(i.instance, _as_it_is(Path(i.path))) for i in source.files or ()]
    try:
        return fitting(instance, resolve_inputs(instance, made, state.gives_list, files))
    except MissingInputError as error:
        raise ExecutionError(
            f"stage '{instance.id}' cannot run: {error}", remedy="'mlkit plan' says what runs"
        ) from None


def _as_it_is(path: Path) -> ArtifactRecord:
    """A file that nobody asks here whether it has changed."""
    return ArtifactRecord(path=str(path), digest="", size_bytes=0)


def _copy_tracking(runs_dir: Path, to: Path) -> None:
    """Let the notebook see what is registered and logged, and write into a copy of it."""
    file = runs_dir / TRACKING_FILE
    if not file.is_file():
        return
    with (
        contextlib.closing(open_to_read(file)) as theirs,
        contextlib.closing(sqlite3.connect(to / TRACKING_FILE)) as own,
    ):
        theirs.backup(own)
