"""Make a stage's end visible: folder, artifacts and record together, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlkit.core.outputs import Output, is_tree
from mlkit.core.pipeline import Instance
from mlkit.core.record import ArtifactRecord, StageRecord
from mlkit.core.states import SUCCESSFUL, Status
from mlkit.driver.context import Context
from mlkit.driver.logged import LOGGED, Logged
from mlkit.frozen import replace
from mlkit.planner.deciding import Decision
from mlkit.planner.fingerprint import Parts
from mlkit.reports.metrics import missing_metrics, stage_metrics
from mlkit.store.artifact_store import copy_file
from mlkit.store.folder import NOTEBOOK, RunFolder, readable_os_errors
from mlkit.store.result import Result

if TYPE_CHECKING:  # a run that reuses all makes no attempt
    from mlkit.driver.attempt import Outcome

__all__ = ["Committer", "sweep"]

ATTEMPTS = "attempts"


class Committer:
    """Commits the ends of stages; used by the driver's own thread only.

    The folder is put together in the staging folder and renamed; the database's transaction comes
    last, and nothing that it does not name is ever used.
    """

    def __init__(self, context: Context) -> None:
        self.stores = context.stores
        self.book = context.book
        self.pipeline = context.order.pipeline.name
        self.stages = context.order.pipeline.stages
        self.deep = context.order.options.verify
        self._runs: dict[str, RunFolder] = {}

    def succeed(self, outcome: Outcome, record: StageRecord, parts: Parts) -> StageRecord:
        """Commit an attempt that succeeded (or ended early by `mlkit.skip`)."""
        job, folder = outcome.job, self.book.folder
        final = folder.stage(job.instance_id)
        with readable_os_errors(final):
            if outcome.status is Status.SUCCEEDED and not (job.staging / NOTEBOOK).exists():
                _link(job.attempt_folder / NOTEBOOK, job.staging / NOTEBOOK)
            self._publish(job.staging, final)
        artifacts = {
            name: ArtifactRecord(
                path=str(final / job.outputs[name].path), digest=digest, size_bytes=marks.size_bytes
            )
            for name, (digest, marks) in outcome.artifacts.items()
        }
        result = Result(
            pipeline=self.pipeline,
            stage=record.id,
            status=record.status,
            run_id=self.book.record.run_id,
            key=parts.key,
            parts=parts.to_json(),
            observed=outcome.observed,
            outputs={name: digest for name, (digest, _) in outcome.artifacts.items()},
            created=outcome.ended,
            logged=outcome.logged.to_json() if outcome.logged.metrics else {},
        )
        record = replace(
            record, artifacts=artifacts, absent=_absent(job.outputs, artifacts, record)
        )
        record = self._measured(record, outcome.logged)
        if outcome.logged.wrong:
            self.book.warn(
                f"stage '{record.id}': {outcome.logged.wrong} lines of {LOGGED} are no metrics and "
                'were passed over; a line is {"name": "loss", "value": 0.5, "step": 1}',
                record.id,
            )
        place = self.book.state.place(record.id)
        marks = dict(outcome.artifacts.values())
        return self.stores.database.commit_result(record, place, result, marks)

    def fail(self, staging: Path, instance_id: str) -> None:
        """Make the attempts of a stage that failed visible."""
        final = self.book.folder.stage(instance_id)
        with readable_os_errors(final):
            if staging.exists():
                for leftover in staging.iterdir():
                    if leftover.name != ATTEMPTS:
                        _remove(leftover)
                self._publish(staging, final)

    def reuse(self, instance: Instance, decision: Decision, record: StageRecord) -> StageRecord:
        """Put the artifacts of an earlier result into this run's folder."""
        result = decision.result
        assert result is not None
        final = self.book.folder.stage(instance.id)
        with readable_os_errors(final):
            staging = self.prepare_staging(instance.id)
            runs = self.stores.database.runs_with_result(result.id)
            artifacts = self._place_all(instance, result, staging, final, runs)
            self._place_notebook(result, runs, staging)
            self._publish(staging, final)
        absent = _absent(instance.stage.outputs, artifacts, record)
        record = replace(
            record,
            artifacts=artifacts,
            absent=absent,
            result=result.id,
            source_run=result.run_id,
        )
        return self._measured(record, Logged.from_json(result.logged))

    def _place_notebook(self, result: Result, runs: Sequence[str], staging: Path) -> None:
        """Put the executed notebook there as well, unless it is an output and is there already."""
        own = f"{staging}/{NOTEBOOK}"
        for folder in () if os.path.lexists(own) else self._folders_with(result, runs):
            copy = f"{folder}/{NOTEBOOK}"
            if os.path.isfile(copy):  # noqa: PTH113 - as text: there are thousands
                _link_or_copy(copy, own)
                return

    def _measured(self, record: StageRecord, logged: Logged) -> StageRecord:
        """The record with what the stage has logged, and measured in its artifacts.

        They are read while they are new, so that a table of thousands of runs opens no file.
        """
        self._tell_missing_metrics(record)
        had = record.metrics is not None or record.curves  # by an attempt before this one
        plain = replace(record, metrics=None, curves={}) if had else record
        metrics = {**logged.metrics, **stage_metrics(self.book.record, plain)}
        return replace(record, metrics=metrics, curves=logged.curves)

    def _tell_missing_metrics(self, record: StageRecord) -> None:
        """Say which numbers pipeline.yaml calls metrics and the stage has not written."""
        stage = self.stages.get(record.stage)
        named = {} if stage is None else stage.metrics
        for name in missing_metrics(record, named) if named else ():
            self.book.warn(
                f"stage '{record.id}': metric '{name}' is no number in its output "
                f"({named[name]}); write it there, or correct 'metrics' in pipeline.yaml",
                record.id,
            )

    def _folders_with(self, result: Result, runs: Sequence[str]) -> Iterator[Path]:
        """The stage's folders of runs that made or reused a result; mostly one is enough."""
        return (self._run(run_id).stage(result.stage) for run_id in runs)

    def _run(self, run_id: str) -> RunFolder:
        if run_id not in self._runs:
            self._runs[run_id] = self.stores.runs.run(run_id)
        return self._runs[run_id]

    def _place_all(
        self,
        instance: Instance,
        result: Result,
        staging: Path,
        final: Path,
        runs: Sequence[str],
    ) -> dict[str, ArtifactRecord]:
        store, artifacts = self.stores.artifacts, {}
        for name, output in instance.stage.outputs.items():
            if name not in result.outputs:  # it may be missing, and was
                continue
            digest = result.outputs[name]
            target = staging / output.path
            if "/" in output.path:
                target.parent.mkdir(parents=True, exist_ok=True)
            folders = self._folders_with(result, runs)
            store.place(digest, target, self._sibling(digest, output.path, folders))
            artifacts[name] = ArtifactRecord(
                path=f"{final}/{output.path}", digest=digest, size_bytes=store.size_bytes(digest)
            )
        return artifacts

    def _sibling(self, digest: str, file: str, folders: Iterable[Path]) -> Path | None:
        """A copy of an artifact to link to; a damaged one is made good first."""
        store = self.stores.artifacts
        for folder in folders:
            copy = folder / file
            if not (copy.is_dir() if is_tree(digest) else copy.is_file()):
                continue
            if not store.is_copy_whole(digest, copy, deep=self.deep):
                store.restore(digest, copy)
                place = copy.relative_to(self.stores.runs.path)
                self.book.warn(f"{place} was damaged and has been restored from the store")
            return copy
        return None

    def prepare_staging(self, instance_id: str) -> Path:
        """Make a staging folder that holds nothing but the stage's earlier attempts in this run.

        Some of them stand in the stage's own folder; those that a killed run was about to add, in
        what it left of the staging folder. An attempt that is not recorded had not ended.
        """
        staging = self.book.folder.staging(instance_id)
        with readable_os_errors(staging):
            ended = {str(a.number) for a in self.book.state.records[instance_id].history}
            if not ended and _is_new_folder(staging):
                return staging
            final, attempts = self.book.folder.stage(instance_id), staging / ATTEMPTS
            (attempts if ended else staging).mkdir(parents=True, exist_ok=True)
            for leftover in list(staging.iterdir()):
                if leftover != attempts or not ended:
                    _remove(leftover)
            for leftover in list(attempts.iterdir()) if ended else ():
                if leftover.name not in ended:
                    _remove(leftover)
            for number in sorted(ended):
                source, target = final / ATTEMPTS / number, attempts / number
                if source.is_dir() and not target.exists():
                    shutil.copytree(source, target, copy_function=_link_or_copy)
        return staging

    def _publish(self, staging: Path, final: Path) -> None:
        """Rename the staging folder; what stood there before goes aside first."""
        if not final.exists():
            staging.replace(final)
            return
        old = staging.with_name(f".old-{os.urandom(4).hex()}")
        final.replace(old)
        staging.replace(final)
        shutil.rmtree(old, ignore_errors=True)


def _absent(
    outputs: Mapping[str, Output], artifacts: Mapping[str, ArtifactRecord], record: StageRecord
) -> tuple[str, ...]:
    """The optional outputs that a stage which succeeded has not written."""
    if record.status not in SUCCESSFUL:
        return ()
    return tuple(name for name in outputs if name not in artifacts)


def sweep(folder: RunFolder) -> None:
    """Remove what a killed run left of stages; attempts that had ended stay for now."""
    root = folder.staging("x").parent
    with readable_os_errors(root):
        for staging in root.iterdir() if root.is_dir() else ():
            if staging.name.startswith(".") or not staging.is_dir():
                _remove(staging)
                continue
            for leftover in staging.iterdir():
                if leftover.name != ATTEMPTS:
                    _remove(leftover)


def _is_new_folder(path: Path) -> bool:
    """Make a folder; False if it is there already, or what is to hold it is not."""
    try:
        os.mkdir(path)  # noqa: PTH102 - its parent is nearly always there, and there are thousands
    except (FileExistsError, FileNotFoundError):
        return False
    return True


def _link(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    _link_or_copy(str(source), str(target))


def _link_or_copy(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        copy_file(Path(source), Path(target))
    return target


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
