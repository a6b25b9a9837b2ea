"""Where attempts run: a registry of executors, each imported when it is asked for.

An executor is a class in a module of its own. It is made before anything runs, so that what is
missing (a library, a cluster, a folder that its workers see) is a mistake found in time.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mlkit.driver.machinery import Machinery
from mlkit.driver.order import Order
from mlkit.errors import UsageError
from mlkit.frozen import dataclass
from mlkit.load.section import did_you_mean
from mlkit.store.artifact_store import ArtifactStore

if TYPE_CHECKING:
    from mlkit.driver.attempt import Job, Outcome
    from mlkit.driver.tracked import Tracking
    from mlkit.notebook.notebook_runner import OnCell

__all__ = ["EXECUTORS", "AttemptExecutor", "Site", "Workshop", "cluster_size", "open_executor"]

EXECUTORS = {
    "threads": "mlkit.driver.executors.threads:ThreadsExecutor",
    "dask": "mlkit.driver.executors.dask:DaskExecutor",
    "dask+tls": "mlkit.driver.executors.dask:DaskTlsExecutor",
}
"""Each kind with its class: `threads`, or `KIND://ADDRESS`."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """What an executor may want to know before there is a run.

    Parameters
    ----------
    runs_dir : Path
        The runs folder of this machine.
    pipeline_folder : Path
        The folder of pipeline.yaml.
    store_url : str, optional
        The shared store.
    """

    runs_dir: Path
    pipeline_folder: Path
    store_url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """What the attempts of a run are made with.

    Parameters
    ----------
    order : Order
        What is asked for.
    store : ArtifactStore
        Where artifacts stand.
    machinery : Machinery
        Kernels and threads of this process.
    tracking : Tracking, optional
        Tells a tracking server of the run.
    """

    order: Order
    store: ArtifactStore
    machinery: Machinery
    tracking: Tracking | None = None


class AttemptExecutor(Protocol):
    """Executes attempts somewhere."""

    def __init__(self, address: str, site: Site) -> None:
        """Connect; raises a `UsageError` where that cannot be done."""
        ...

    def attach(self, workshop: Workshop) -> None:
        """Begin to work for a run."""
        ...

    def submit(self, job: Job, on_cell: OnCell, done: Callable[[Outcome], None]) -> None:
        """Have an attempt made; `done` is called with its outcome, come what may."""
        ...

    def close(self) -> None:
        """Let go of everything; attempts under way have ended, or are given up."""
        ...


def open_executor(text: str, site: Site) -> AttemptExecutor:
    """Make the executor that `--executor` names.

    Parameters
    ----------
    text : str
        `threads`, `dask://HOST:PORT`, or `dask+tls://HOST:PORT`.
    site : Site
        Where the run works.

    Raises
    ------
    UsageError
        If there is no such kind, or it cannot be reached.
    """
    kind, _, address = text.partition("://")
    if kind not in EXECUTORS:
        raise UsageError(
            f"there is no executor '{text}'", remedy=did_you_mean(kind, EXECUTORS), code="E101"
        )
    module, _, name = EXECUTORS[kind].partition(":")
    made: AttemptExecutor = getattr(importlib.import_module(module), name)(address, site)
    return made


def cluster_size(text: str) -> int:
    """How many attempts a cluster can work on at once.

    Raises
    ------
    UsageError
        If there is no such executor, or it cannot be reached.
    """
    kind, _, address = text.partition("://")
    if kind not in EXECUTORS or kind == "threads":
        raise UsageError(
            f"there is no executor '{text}'", remedy=did_you_mean(text, EXECUTORS), code="E101"
        )
    # The registry's way: an executor is imported when it is asked for.
    from mlkit.driver.executors.dask import count_threads
    from mlkit.driver.executors.dask_cluster import TCP, TLS

    return count_threads(address, TLS if kind == "dask+tls" else TCP)
