"""One attempt at one stage, from its staging folder to its outcome; runs in a worker's thread."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from mlkit.core.interrupting import WorkInterrupted, heeding
from mlkit.core.kept_kernel import KeptKernel
from mlkit.core.outputs import Output
from mlkit.core.progress import News
from mlkit.core.record import ArtifactRecord, ErrorRecord
from mlkit.core.scrubbing import Scrubber
from mlkit.core.states import Status
from mlkit.driver.leftovers import dropped, explained, sentence
from mlkit.driver.logged import LOGGED, Logged, read_logged
from mlkit.driver.mlflow_store import prepare_store
from mlkit.driver.surroundings import with_tracking
from mlkit.driver.unreached_modules import with_module_found
from mlkit.driver.written_outputs import (
    check_outputs,
    make_room,
    share_outputs,
    take_outputs,
    write_notebooks,
)
from mlkit.errors import MlkitError
from mlkit.frozen import dataclass
from mlkit.inside.measuring import METRICS_VARIABLE
from mlkit.notebook.cells import NotebookSource
from mlkit.notebook.injection import Assignment
from mlkit.notebook.notebook_runner import (
    Brief,
    Cancellation,
    ExecutionRequest,
    NotebookRunner,
    OnCell,
)
from mlkit.notebook.source import failing_place
from mlkit.notebook.stock import StockList
from mlkit.planner.checkout import Checkout
from mlkit.planner.packages import read_ahead
from mlkit.planner.trace import observe, untold
from mlkit.planner.variables import Circumstances
from mlkit.store.artifact_store import ArtifactStore, Marks
from mlkit.store.folder import NOTEBOOK, readable_os_errors

__all__ = ["Job", "Outcome", "perform"]

OUT = "out"
TOP = "above"
CWD = f"{TOP}/above/above/cwd"
"""Notebooks write to `../models`: the folders above the working folder are the attempt's, too."""
LOG = "log.txt"


@dataclass(frozen=True, kw_only=True)
class Job:
    """Everything that an attempt needs.

    Parameters
    ----------
    instance_id : str
        The stage or instance.
    number : int
        The attempt's number, from 1.
    notebook : NotebookSource
        The notebook as it was when the choice to run was made.
    staging : Path
        The stage's staging folder; the attempt writes below it only.
    pipeline : str
        The pipeline's name.
    checkout : Checkout
        Where the stage's project stands.
    trace_key : bytes
        With what digests of environment variables are keyed.
    brief : Brief
        What the notebook is told; the attempt adds its outputs.
    outputs : mapping of str to Output
        The declared outputs by name.
    inputs : tuple of ArtifactRecord
        The artifacts of other stages that it is handed.
    verify : bool
        Check the inputs afterwards by digest, not at a glance.
    live : Path, optional
        Where it works if its kernel may be kept: nobody else ever works there, and nothing is
        taken from there once the attempt has ended.
    """

    instance_id: str
    number: int
    notebook: NotebookSource
    staging: Path
    pipeline: str
    checkout: Checkout
    brief: Brief
    outputs: Mapping[str, Output]
    inputs: tuple[ArtifactRecord, ...]
    declared: Mapping[str, Any]
    verify: bool = False
    trace_key: bytes = field(default=b"", repr=False)
    live: Path | None = None

    def told(self, **changes: Any) -> Job:
        """The same with another environment, say, or other values."""
        return replace(self, brief=replace(self.brief, **changes))

    @property
    def attempt_folder(self) -> Path:
        """Where this attempt's notebook and log stand."""
        return self.staging / "attempts" / str(self.number)

    @property
    def work_folder(self) -> Path:
        """Where it works; gone when it has ended."""
        return self.live or self.staging / f".work-{self.number}"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an attempt ended.

    Parameters
    ----------
    job : Job
        The attempt.
    status : Status
        succeeded, failed, skipped or cancelled.
    started, ended : float
        Seconds since 1970 (UTC).
    artifacts : mapping
        Output name to digest and marks; only of a success.
    observed : mapping
        What the result depended on beside its parts.
    damaged : tuple of ArtifactRecord
        Inputs that were no longer what they had been when the attempt had ended.
    dropped : tuple of str
        Files that the notebook wrote and no output declares.
    logged : Logged
        What the notebook has logged with `mlkit.log_metric`.
    kept : KeptKernel, optional
        The kernel, if it is kept, and the working folder with it.
    not_kept : str
        Why it is not, where it was to be.
    told : tuple of str
        What people should know of the place where attempts run, such as a worker not used.
    trouble : MlkitError, optional
        What kept the driver itself from carrying the attempt through, such as a full disk.
    """

    job: Job
    status: Status
    started: float
    ended: float
    reason: str = ""
    error: ErrorRecord | None = None
    artifacts: Mapping[str, tuple[str, Marks]] = field(default_factory=dict)
    observed: Mapping[str, Any] = field(default_factory=dict)
    cpu_s: float | None = None
    peak_memory_bytes: int | None = None
    damaged: tuple[ArtifactRecord, ...] = ()
    dropped: tuple[str, ...] = ()
    logged: Logged = field(default_factory=Logged)
    kept: KeptKernel | None = None
    not_kept: str = ""
    told: tuple[str, ...] = ()
    trouble: MlkitError | None = None


def perform(
    job: Job,
    runner: NotebookRunner,
    store: ArtifactStore,
    on_cell: OnCell,
    cancellation: Cancellation,
    now: Callable[[], float],
) -> Outcome:
    """Execute a stage's notebook and take what it wrote into the store.

    A failure of the notebook, of its kernel or of the disk is a value, never an exception.
    """
    started = now()
    outcome = None
    try:
        with readable_os_errors(job.staging), heeding(lambda: cancellation.requested):
            outcome = _perform(job, runner, store, on_cell, cancellation, now, started)
            return outcome
    except WorkInterrupted:
        return Outcome(job=job, status=Status.CANCELLED, started=started, ended=now())
    except MlkitError as error:
        record = ErrorRecord(type=type(error).__name__, message=str(error), bases=())
        return Outcome(
            job=job,
            status=Status.FAILED,
            started=started,
            ended=now(),
            error=record,
            trouble=error if _is_trouble(error) else None,
        )
    finally:
        if outcome is None or outcome.kept is None:
            shutil.rmtree(job.work_folder, ignore_errors=True)


def _is_trouble(error: MlkitError) -> bool:
    """Whether the disk refuses; a notebook that removes its own folders harms itself only."""
    cause = error.__cause__
    return not isinstance(cause, FileNotFoundError | NotADirectoryError | IsADirectoryError)


def _perform(
    job: Job,
    runner: NotebookRunner,
    store: ArtifactStore,
    on_cell: OnCell,
    cancellation: Cancellation,
    now: Callable[[], float],
    started: float,
) -> Outcome:
    for folder in (job.work_folder, job.attempt_folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    if job.live is not None:  # what is worked out there by hand is its owner's
        job.live.chmod(0o700)
    for name in (OUT, CWD):
        (job.work_folder / name).mkdir(parents=True)
    out = job.work_folder / OUT
    make_room(job.outputs, out)

    def told(news: News) -> None:
        read_ahead()  # what `observe` needs
        on_cell(news)

    result = runner.execute(_request(job), told, cancellation)
    damaged = _damaged_inputs(job, store)
    status, error = result.status, _placed(result.error, job.notebook)
    if damaged and status in (Status.SUCCEEDED, Status.SKIPPED):
        status, error = Status.FAILED, _changed_input(damaged)
    artifacts: dict[str, tuple[str, Marks]] = {}
    if status is Status.SUCCEEDED:
        write_notebooks(job.outputs, out, job.attempt_folder / NOTEBOOK, job.instance_id)
        error = check_outputs(job.outputs, out)
        status = Status.SUCCEEDED if error is None else Status.FAILED
        if error is None:
            artifacts = take_outputs(job.outputs, out, job.staging, store)
    names = tuple(map(job.brief.scrubber.text, _dropped(job)))
    error = _explained(job, error, names)
    trouble = share_outputs(artifacts, store)
    observed: Mapping[str, Any] = {}
    if status in (Status.SUCCEEDED, Status.SKIPPED):
        circumstances = Circumstances(
            environ=job.brief.env, key=job.trace_key, set_by_pipeline=frozenset(job.brief.settings)
        )
        observed = observe(result, job.notebook, job.checkout, circumstances, started)
        if job.brief.scrubber.value([observed]) != [observed]:
            observed = untold("a path that it read holds a secret")
    return Outcome(
        job=job,
        status=status,
        started=started,
        ended=now(),
        reason=job.brief.scrubber.text(result.reason),
        error=_scrubbed(error, job.brief.scrubber),
        artifacts=artifacts,
        observed=observed,
        cpu_s=result.cpu_s,
        peak_memory_bytes=result.peak_memory_bytes,
        damaged=damaged,
        dropped=names,
        logged=_logged(job),
        kept=result.kept,
        not_kept=result.not_kept,
        trouble=trouble,
    )


def _placed(error: ErrorRecord | None, notebook: NotebookSource) -> ErrorRecord | None:
    """Name the line of a notebook that is text."""
    if error is None:
        return None
    return replace(error, place=failing_place(notebook, error.cell, error.traceback))


def _explained(job: Job, error: ErrorRecord | None, names: tuple[str, ...]) -> ErrorRecord | None:
    """Add to an error what helps; in the log, too, because a terminal cuts long messages."""
    defaults = {name: declaration.default for name, declaration in job.declared.items()}
    given = {item.name: item.value for item in job.brief.assignments}
    folder, pipeline = job.notebook.path.parent, Path(job.checkout.pipeline)
    found = with_module_found(error, folder, pipeline)
    found = explained(found, names, folder, pipeline, {**defaults, **given})
    if found is not None and found is not error:
        _note(job, f"{found.type}: {found.message}")
    return found


def _note(job: Job, words: str) -> None:
    """Add a line of mlkit's own to the attempt's log."""
    line = f"mlkit: {job.brief.scrubber.text(words)}\n"
    with (job.attempt_folder / LOG).open("ab") as log:
        log.write(line.encode("utf-8", "backslashreplace"))


def _logged(job: Job) -> Logged:
    """Read what was logged, and leave no secret in its names, which the notebook has made up."""
    file = job.attempt_folder / LOGGED
    if file.exists():
        text = file.read_text(encoding="utf-8", errors="replace")
        clean = job.brief.scrubber.text(text)
        if clean != text:
            file.write_text(clean, encoding="utf-8")
    return read_logged(file)


def _dropped(job: Job) -> tuple[str, ...]:
    """Find what goes with the working folder, and say so in the log."""
    folder = job.work_folder
    names = dropped(folder / CWD, folder / OUT, job.outputs, top=folder / TOP)
    if names:
        _note(job, f"the notebook {sentence(names)}")
    return names


def _request(job: Job) -> ExecutionRequest:
    logged = job.attempt_folder / LOGGED
    env = {**with_tracking(job.brief.env, job.pipeline), METRICS_VARIABLE: str(logged)}
    prepare_store(job.notebook, env)
    outputs = tuple(
        Assignment(
            name=name,
            value=str(job.work_folder / OUT / output.path),
            declaration=job.declared.get(name),
        )
        for name, output in job.outputs.items()
        if name in job.declared or not output.is_notebook
    )
    told = {**vars(job.brief), "env": env, "assignments": (*job.brief.assignments, *outputs)}
    runs = env.get("MLKIT_RUNS_DIR")
    return ExecutionRequest(
        **told,
        document=job.notebook.document,
        title=f"Injected by mlkit: attempt {job.number} of stage '{job.instance_id}'",
        cwd=job.work_folder / CWD,
        folder=job.notebook.path.parent,
        notebook=job.attempt_folder / NOTEBOOK,
        log=job.attempt_folder / LOG,
        facts=job.work_folder / "facts.json",
        roots=tuple(root for _, root in job.checkout.roots),
        never=(*job.checkout.never, str(job.work_folder), str(logged)),
        stock=StockList(folder=Path(runs)) if runs else None,
        lacking=lambda: _lacking(job),
    )


def _lacking(job: Job) -> ErrorRecord | None:
    """What the notebook has not written; its own executed self is not there yet."""
    files = {name: output for name, output in job.outputs.items() if not output.is_notebook}
    return check_outputs(files, job.work_folder / OUT)


def _damaged_inputs(job: Job, store: ArtifactStore) -> tuple[ArtifactRecord, ...]:
    """Find inputs that are no longer what they were."""
    found = {
        artifact.path: artifact
        for artifact in job.inputs
        if not store.is_copy_whole(artifact.digest, Path(artifact.path), deep=job.verify)
    }
    return tuple(found.values())


def _changed_input(damaged: tuple[ArtifactRecord, ...]) -> ErrorRecord:
    names = ", ".join(str(Path(*Path(artifact.path).parts[-2:])) for artifact in damaged)
    return ErrorRecord(
        type="InputChanged",
        message=f"the notebook changed its input {names}; the input was made good, the result is "
        "not used. Write to a declared output instead",
        bases=("mlkit.InputChanged",),
    )


def _scrubbed(error: ErrorRecord | None, scrubber: Scrubber) -> ErrorRecord | None:
    """Scrub what people are told; the names of classes decide about a retry first."""
    if error is None:
        return None
    return replace(
        error, message=scrubber.text(error.message), traceback=scrubber.text(error.traceback)
    )
