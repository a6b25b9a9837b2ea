"""Go on in the kernel of a stage that has failed, and take what was corrected into its source."""

from __future__ import annotations

from pathlib import Path

from mlkit.api.kept import kept_of
from mlkit.api.records import find_run
from mlkit.api.resuming import run_pipeline
from mlkit.api.runs_place import runs_folder
from mlkit.core.kept_kernel import KeptKernel
from mlkit.core.pipeline import Pipeline, Stage
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.values import safe_name
from mlkit.driver.debugging import entry_of
from mlkit.errors import UsageError
from mlkit.frozen import dataclass
from mlkit.notebook.kernelspecs import named_in_metadata
from mlkit.notebook.live import LiveNotebook, open_live_notebook, take_over
from mlkit.store.folder import RunsFolder

__all__ = ["LiveStage", "live_stage", "take_over_stage"]


@dataclass(frozen=True, kw_only=True)
class LiveStage:
    """A stage that stands where it failed.

    Parameters
    ----------
    notebook : LiveNotebook
        Its notebook, to go on in.
    source : Path
        The stage's own.
    kept : KeptKernel
        The kernel.
    """

    notebook: LiveNotebook
    source: Path
    kept: KeptKernel


def live_stage(
    run_id: str,
    stage: str,
    pipeline: Pipeline | Path | str,
    *,
    runs_dir: Path | str | None = None,
) -> LiveStage:
    """Lay out a stage whose kernel is kept, for a person to go on in.

    Parameters
    ----------
    run_id, stage, pipeline, runs_dir
        As for `debug_notebook`.

    Raises
    ------
    UsageError
        If no kernel of it is kept.
    """
    record, entry, own = _found(run_id, stage, pipeline, runs_dir)
    all_kept = kept_of(record.runs_dir, record.run_id)
    kept = next((each for each in all_kept if each.stage == entry.id), None)
    if kept is None:
        raise UsageError(
            f"no kernel of stage '{entry.id}' of run {record.run_id} is kept: {_why(entry)}",
            remedy="'mlkit run --keep-failed 30m' keeps one; without --live the notebook opens "
            "with the run's inputs, on a new kernel",
            code="E101",
        )
    attempt = Path(record.runs_dir) / record.run_id / safe_name(entry.id) / "attempts"
    notebook = open_live_notebook(
        _folder(record, entry, kept.attempt),
        Path(own.notebook),
        attempt / str(kept.attempt) / "notebook.ipynb",
        named_in_metadata(own.kernel),
    )
    return LiveStage(notebook=notebook, source=Path(own.notebook), kept=kept)


def take_over_stage(
    run_id: str,
    stage: str,
    pipeline: Pipeline | Path | str,
    *,
    runs_dir: Path | str | None = None,
) -> tuple[Path, bool]:
    """Write what was corrected in a stage's live notebook into its source.

    Parameters
    ----------
    run_id, stage, pipeline, runs_dir
        As for `debug_notebook`.

    Returns
    -------
    Path, bool
        The source, and whether anything in it has changed.

    Raises
    ------
    UsageError
        If the stage was not opened live, or its source has changed since.
    """
    record, entry, own = _found(run_id, stage, pipeline, runs_dir)
    source = Path(own.notebook)
    return source, take_over(_folder(record, entry, entry.attempts), source)


def _found(
    run_id: str, stage: str, pipeline: Pipeline | Path | str, runs_dir: Path | str | None
) -> tuple[RunRecord, StageRecord, Stage]:
    record = find_run(run_id, runs_folder(pipeline, runs_dir), files=True)
    entry = entry_of(record, stage)
    own = run_pipeline(record, pipeline).stages.get(entry.stage)
    if own is None:
        raise UsageError(f"the pipeline has no stage '{entry.stage}' any more", code="E101")
    return record, entry, own


def _folder(record: RunRecord, entry: StageRecord, attempt: int) -> Path:
    name = f"{record.run_id}-{safe_name(entry.id)}-live-{attempt}"
    return RunsFolder(Path(record.runs_dir)).debug / name


def _why(entry: StageRecord) -> str:
    if entry.error is None:
        return "it did not fail"
    if entry.error.type == "DeadKernel":
        return "it died, and its variables with it"
    return "its time is over, or it was never kept"
