"""What is asked of a run beside its parameters."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from mlkit.core.intervals import Interval
from mlkit.notebook.kernels import KernelKind

__all__ = ["RunOptions", "available_cores"]


def available_cores() -> int:
    """The cores that this process may use."""
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The options of a run.

    Parameters
    ----------
    workers : int
        How many attempts run at once; by default as many as there are cores.
    until : str, optional
        Run this stage and what is upstream of it, nothing else.
    only : str, optional
        Run this stage (or `STAGE[VALUE]`) alone, on the latest artifacts of its upstream.
    force : bool or frozenset of str
        Run all stages, or these, even if they are unchanged.
    fail_fast : bool
        Stop everything when a critical stage has failed.
    verify : bool
        Check artifacts by digest before they are reused.
    start : {"fork", "spawn"}
        How kernels are started.
    run_id : str, optional
        With `only`: the run to join, or to open under that id.
    interval : Interval, optional
        The interval of the schedule that the run is for.
    store : str, optional
        The URL of a store that shares artifacts with other machines.
    executor : str
        Where attempts run: `threads`, or `dask://HOST:PORT`.
    """

    workers: int = field(default_factory=available_cores)
    until: str | None = None
    only: str | None = None
    force: bool | frozenset[str] = False
    fail_fast: bool = False
    verify: bool = False
    start: KernelKind = "fork"
    run_id: str | None = None
    interval: Interval | None = None
    store: str | None = None
    executor: str = "threads"

    def to_json(self) -> dict[str, Any]:
        """The options as they stand in the record."""
        return {
            "workers": self.workers,
            "until": self.until,
            "only": self.only,
            "force": self.force if isinstance(self.force, bool) else sorted(self.force),
            "fail_fast": self.fail_fast,
            "verify": self.verify,
            "start": self.start,
            **({} if self.interval is None else {"interval": self.interval.to_json()}),
            "store": self.store,
            "executor": self.executor,
        }
