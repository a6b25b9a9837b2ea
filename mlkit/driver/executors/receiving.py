"""Bring home what an attempt on another machine has made."""

from __future__ import annotations

from dataclasses import replace

from mlkit.core.states import Status
from mlkit.driver.attempt import Job, Outcome
from mlkit.driver.executors.dask_task import Reply
from mlkit.errors import StoreError
from mlkit.store.artifact_store import ArtifactStore, Marks
from mlkit.store.folder import readable_os_errors

__all__ = ["received"]


def received(reply: Reply, job: Job, store: ArtifactStore) -> Outcome:
    """Put an attempt's notebook, log and artifacts where this machine's driver expects them.

    Parameters
    ----------
    reply : Reply
        What the worker sent.
    job : Job
        The attempt as it reads here.
    store : ArtifactStore
        The run's store; it fetches what it does not have.

    Raises
    ------
    StoreError
        If an artifact has not arrived.
    """
    outcome = replace(reply.outcome, job=job)
    with readable_os_errors(job.staging):
        job.attempt_folder.mkdir(parents=True, exist_ok=True)
        for name, data in reply.files.items():
            (job.attempt_folder / name).write_bytes(data)
        if outcome.status is not Status.SUCCEEDED:
            return outcome
        artifacts = {
            name: (digest, _placed(digest, job.outputs[name].path, job, store))
            for name, (digest, _) in outcome.artifacts.items()
        }
    return replace(outcome, artifacts=artifacts)


def _placed(digest: str, file: str, job: Job, store: ArtifactStore) -> Marks:
    target = job.staging / file
    if not store.is_whole(digest, store.marks(digest), deep=False):
        raise StoreError(
            f"the artifact {file} of stage '{job.instance_id}' has not arrived",
            remedy="'mlkit resume RUN' runs the stage again",
        )
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        store.place(digest, target)
    marks = store.marks(digest)
    assert marks is not None
    return marks
