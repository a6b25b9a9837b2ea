"""Find what the inputs of a pipeline mean that other runs have made: `run:NAME/STAGE.OUTPUT`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from mlkit.core.pipeline import Pipeline, RunFile, RunOutput, Stage
from mlkit.core.record import ArtifactRecord, RunRecord, StageRecord
from mlkit.core.states import SUCCESSFUL, Status
from mlkit.core.suggesting import did_you_mean
from mlkit.core.types import accepts
from mlkit.driver.options import RunOptions
from mlkit.driver.selecting import select
from mlkit.errors import PipelineError, UnknownRunError
from mlkit.frozen import dataclass
from mlkit.store.folder import RunsFolder
from mlkit.store.remote.places import as_typed, is_url
from mlkit.store.typed_path import typed_path

if TYPE_CHECKING:
    from mlkit.store.remote.sharing import Sharing

__all__ = ["with_run_outputs"]

_Opened = tuple[RunsFolder, "Sharing | None"]


def with_run_outputs(pipeline: Pipeline, options: RunOptions, runs_dir: Path) -> Pipeline:
    """Give a pipeline whose inputs from other runs are known, as far as a run reads them.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    options : RunOptions
        Which part of it is to run.
    runs_dir : Path
        Its runs folder.

    Raises
    ------
    PipelineError
        If there is no such run, or it has not made what is named; it names the line.
    """
    reading = {
        name
        for name, stage in pipeline.stages.items()
        if any(isinstance(source, RunOutput) for source in stage.inputs.values())
    }
    if not reading:
        return pipeline
    selection = select(pipeline, options)
    reading &= selection.stages | selection.upstream
    opened: dict[str, _Opened] = {}
    stages = {
        name: _with_files(pipeline, stage, runs_dir, opened) if name in reading else stage
        for name, stage in pipeline.stages.items()
    }
    return replace(pipeline, stages=stages)


def _with_files(
    pipeline: Pipeline, stage: Stage, runs_dir: Path, opened: dict[str, _Opened]
) -> Stage:
    # What is behind URLs; a run without such inputs starts 0.1 s earlier.
    from mlkit.api.records import up_to_date

    inputs = dict(stage.inputs)
    for name, source in inputs.items():
        if isinstance(source, RunOutput):
            if source.place not in opened:
                where = _runs_folder(pipeline, source.place) if source.place else runs_dir
                opened[source.place] = up_to_date(where)
            finder = _Finder(pipeline=pipeline, stage=stage, name=name, source=source)
            inputs[name] = finder.found(*opened[source.place])
    return replace(stage, inputs=inputs)


def _runs_folder(pipeline: Pipeline, place: str) -> Path | str:
    """The runs folder of another pipeline, which is named relative to this one's pipeline.yaml."""
    if is_url(as_typed(place)):
        return place
    from mlkit.api.records import runs_of  # as above

    path = Path(pipeline.folder) / typed_path(place)
    own = path / "pipeline.yaml"
    return runs_of(path) if not own.is_file() else path / "runs"


@dataclass(frozen=True, kw_only=True)
class _Finder:
    """Finds one input, or says why there is none."""

    pipeline: Pipeline
    stage: Stage
    name: str
    source: RunOutput

    def found(self, folder: RunsFolder, sharing: Sharing | None) -> RunOutput:
        """Give the source with its files."""
        spec = self.stage.declared[self.name].spec
        if self.source.run == "latest" and folder.latest_id() is None and accepts(spec, None):
            return replace(self.source, files=())  # the first run of all has nothing to begin with
        record = self._record(folder)
        items = self._instances(record)
        is_list = items[0].id != self.source.node
        wrote = [(item.id, artifact) for item in items if (artifact := self._artifact(item))]
        for key, artifact in wrote:
            self._see(record, key, artifact, sharing)
        self._check_kind(is_list=is_list, is_there=bool(wrote))
        files = tuple(
            RunFile(instance=key, path=artifact.path, digest=artifact.digest)
            for key, artifact in wrote
        )
        return replace(self.source, files=files, is_list=is_list)

    def _record(self, folder: RunsFolder) -> RunRecord:
        from mlkit.api.records import record_in  # as above

        try:
            return record_in(folder, self.source.run)
        except UnknownRunError as error:
            remedy = error.remedy
            if self.source.run == "latest":
                remedy = (
                    f"Run that pipeline first; if the stage can do without, declare it "
                    f"'{self.name}: str | None = None'"
                )
            self._fail(f"{error.message} in {folder.path}", remedy)

    def _instances(self, record: RunRecord) -> list[StageRecord]:
        """The instances that are meant; all have succeeded."""
        node, stages = self.source.node, record.stages
        meant = [stages[node]] if node in stages else []
        meant = meant or [item for item in stages.values() if item.stage == node]
        if not meant:
            known = dict.fromkeys([*stages, *(item.stage for item in stages.values())])
            self._fail(
                f"run {record.run_id} of {record.pipeline} has no stage '{node}'",
                did_you_mean(node, known),
            )
        for item in meant:
            listed = item.status is Status.SKIPPED and len(meant) > 1
            if item.status not in SUCCESSFUL and not listed:
                self._fail(
                    f"stage '{item.id}' of run {record.run_id} is {item.status.value}",
                    f"See 'mlkit show {record.run_id}', or name another run",
                )
        return meant

    def _artifact(self, item: StageRecord) -> ArtifactRecord | None:
        """What an instance wrote; None if it was free not to, and did not."""
        found = item.artifacts.get(self.source.output)
        if found is None and self.source.output not in item.absent and item.status in SUCCESSFUL:
            self._fail(
                f"stage '{item.id}' of that run wrote no '{self.source.output}'",
                did_you_mean(self.source.output, [*item.artifacts, *item.absent]),
            )
        return found

    def _see(
        self, record: RunRecord, key: str, artifact: ArtifactRecord, sharing: Sharing | None
    ) -> None:
        """See that a file is there; one that another machine has made is fetched."""
        if sharing is not None and not Path(artifact.path).exists():
            sharing.fetch_artifacts(record.run_id, [artifact])
        if not Path(artifact.path).exists():
            self._fail(
                f"what stage '{key}' of run {record.run_id} wrote is gone: {artifact.path}",
                "Make it again: run that pipeline once more, and name the new run",
            )

    def _check_kind(self, *, is_list: bool, is_there: bool) -> None:
        """See that the notebook takes what arrives: a path, a list of paths, or nothing."""
        spec = self.stage.declared[self.name].spec
        path = "/path"
        arrives = [path] if is_list else (path if is_there else None)
        if accepts(spec, arrives):
            return
        words, kind = {
            True: ("a list of paths: that stage is mapped", "list[str]"),
            False: ("one path", "str") if is_there else ("not written by that run", "str | None"),
        }[is_list]
        one = f", or name one instance: {self.source.node}[VALUE]" if is_list else ""
        self._fail(
            f"it is {words}, and {self.stage.notebook.name} declares {spec}",
            f"Declare it '{self.name}: {kind}'{one}",
        )

    def _fail(self, fact: str, remedy: str | None) -> NoReturn:
        raise PipelineError(
            f"stage '{self.stage.name}', input '{self.name}' ({self.source}): {fact}",
            str(self.pipeline.file),
            self.source.line,
            remedy,
            code="E215",
        )
