"""One attempt on a Dask worker: in the worker's process, on a kernel of the worker's machine.

Only values travel: a `Task` to the worker, a `Reply` back.

`distributed` (optional; a worker has it), `PapermillRunner` (in `execute`) and what is `remote` are
imported where they are used: the driver, which sends tasks and performs none, need not wait.
"""

from __future__ import annotations

import atexit
import os
import platform
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from mlkit.core.policies import KernelKind
from mlkit.core.progress import News
from mlkit.core.record import ErrorRecord
from mlkit.core.states import Status
from mlkit.driver.attempt import Job, Outcome, perform
from mlkit.driver.surroundings import kernel_environment
from mlkit.errors import DISTRIBUTION, StoreError
from mlkit.frozen import dataclass
from mlkit.notebook.injection import Assignment
from mlkit.notebook.kernels import open_kernels
from mlkit.notebook.notebook_runner import Cancellation
from mlkit.store.artifact_store import ArtifactStore

__all__ = ["Reply", "Sight", "Task", "cancel", "carry_out", "look_around"]

WATCH_EVERY_S = 0.5
LOST = frozenset({"cancelled", "released", "forgotten", "resumed"})
"""States of a task on its worker in which nobody waits for it any longer."""

_running: dict[str, Cancellation] = {}
_runners: dict[tuple[str, tuple[str, ...]], Any] = {}
_lock = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Task:
    """An attempt on its way to a worker.

    Parameters
    ----------
    token : str
        Names this very attempt; it is carried out once at most.
    topic : str
        Where the worker tells of cells.
    job : Job
        The attempt; its environment holds what the run itself sets, the rest is the worker's.
    kernel : {"fork", "spawn"}
        How kernels are started.
    preload : tuple of str
        What the pipeline's notebooks import.
    store : str
        The store's folder, where the worker sees the runs folder.
    store_url : str, optional
        The shared store.
    is_shared : bool
        Whether the worker sees the runs folder.
    """

    token: str
    topic: str
    job: Job
    kernel: KernelKind
    preload: tuple[str, ...]
    store: str
    store_url: str | None
    is_shared: bool


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What comes back: the outcome, and the attempt's files where no folder is shared."""

    outcome: Outcome
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What a worker sees around itself."""

    python: str
    mlkit: str
    sees_runs: bool
    sees_pipeline: bool


def look_around(probe: str, token: str, pipeline_folder: str) -> Sight:
    """Say what the worker sees: the file that the driver has just written, the pipeline."""
    path = Path(probe)
    return Sight(
        python=platform.python_version(),
        mlkit=metadata.version(DISTRIBUTION),
        sees_runs=path.is_file() and path.read_text(encoding="utf-8") == token,
        sees_pipeline=Path(pipeline_folder).is_dir(),
    )


def cancel(tokens: Iterable[str]) -> None:
    """End attempts that this worker carries out."""
    for token in tokens:
        cancellation = _running.get(token)
        if cancellation is not None:
            threading.Thread(target=cancellation.request, daemon=True).start()


def carry_out(task: Task) -> Reply:
    """Carry out an attempt, unless another worker had begun it and died over it."""
    from distributed import get_worker

    worker, started = get_worker(), time.time()
    begun = _event(task.token)
    if begun.is_set():
        return Reply(outcome=_died(task.job, started))
    begun.set()
    cancellation = Cancellation()
    _running[task.token] = cancellation
    worker.log_event(task.topic, {"token": task.token, "worker": worker.address})
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(worker, _key(), cancellation, ended), daemon=True)
    watch.start()

    def on_cell(news: News) -> None:
        worker.log_event(task.topic, {"token": task.token, **news.to_json()})

    try:
        own = {**kernel_environment(os.environ), **task.job.brief.env}
        return _perform(
            replace(task, job=task.job.told(env=own)),
            on_cell,
            cancellation,
        )
    finally:
        ended.set()
        _running.pop(task.token, None)


def _event(token: str) -> Any:
    """What the whole cluster knows of an attempt: whether it was begun."""
    from distributed import Event, get_client

    return Event(f"mlkit-{token}", client=get_client(timeout=30))  # type: ignore[no-untyped-call] # Dask is partly untyped


def _key() -> str:
    """The name of the task that this thread carries out."""
    import distributed.worker

    return str(distributed.worker.thread_state.key)  # type: ignore[attr-defined] # Dask is partly typed


def _died(job: Job, started: float) -> Outcome:
    error = ErrorRecord(
        type="LostProcess",
        message="the worker that ran the notebook died",
        bases=("mlkit.DeadKernel", "builtins.Exception"),
    )
    return Outcome(job=job, status=Status.LOST, started=started, ended=time.time(), error=error)


def _watch(worker: Any, key: str, cancellation: Cancellation, ended: threading.Event) -> None:
    """End an attempt whose driver, or whose cluster, has gone."""
    while not ended.wait(WATCH_EVERY_S):
        state = worker.state.tasks.get(key)
        gone = state is None or state.state in LOST
        if gone or worker.status.name not in ("running", "paused"):
            cancellation.request()
            return


def _perform(task: Task, on_cell: Any, cancellation: Cancellation) -> Reply:
    runner = _runner(task.kernel, task.preload)
    if task.is_shared:
        store = _store(Path(task.store), task.store_url)
        outcome = perform(task.job, runner, store, on_cell, cancellation, time.time)
        return Reply(outcome=outcome)
    from distributed import get_worker

    assert task.store_url is not None
    home = Path(get_worker().local_directory) / "mlkit"
    home.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="attempt-", dir=home))
    try:
        store = _store(home / "store", task.store_url)
        job = _brought_here(task.job, folder, store)
        outcome = perform(job, runner, store, on_cell, cancellation, time.time)
        return Reply(outcome=replace(outcome, damaged=()), files=_files(job.attempt_folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _runner(kernel: KernelKind, preload: tuple[str, ...]) -> Any:
    """The notebook runner of this process; its helpers live as long as the worker does."""
    from mlkit.notebook.execute import PapermillRunner

    with _lock:
        if (kernel, preload) not in _runners:
            kernels = open_kernels(kernel, preload=preload, env=kernel_environment(os.environ))
            kernels.prepare()
            atexit.register(kernels.close)
            _runners[kernel, preload] = PapermillRunner(kernels)
        return _runners[kernel, preload]


def _store(path: Path, url: str | None) -> ArtifactStore:
    if url is None:
        return ArtifactStore(path)
    from mlkit.store.remote.files import Remote
    from mlkit.store.remote.shared import SharedStore

    return SharedStore(path, Remote(url))


def _brought_here(job: Job, folder: Path, store: ArtifactStore) -> Job:
    """Fetch an attempt's inputs by digest, and have its paths lead to this machine."""
    here: dict[str, str] = {}
    inputs = []
    for number, artifact in enumerate(job.inputs):
        if not store.is_whole(artifact.digest, None, deep=False):
            raise StoreError(f"the store has no artifact {artifact.digest}")
        copy = folder / "in" / str(number) / Path(artifact.path).name
        copy.parent.mkdir(parents=True)
        store.place(artifact.digest, copy)
        here[artifact.path] = str(copy)
        inputs.append(replace(artifact, path=str(copy)))
    moved = tuple(_moved(item, here) for item in job.brief.assignments)
    there = replace(job, staging=folder / "staging", inputs=tuple(inputs))
    return there.told(assignments=moved)


def _moved(item: Assignment, here: Mapping[str, str]) -> Assignment:
    if isinstance(item.value, list):
        return replace(item, value=[here.get(path, path) for path in item.value])
    return replace(item, value=here.get(item.value, item.value)) if _is_text(item.value) else item


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
