"""The states of stages, attempts and runs."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["FINISHED", "SUCCESSFUL", "RunStatus", "Status"]


class Status(StrEnum):
    """The state of a stage (or of one instance of a mapped stage) within a run."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    CACHED = "cached"
    FAILED = "failed"
    SKIPPED = "skipped"
    UPSTREAM_FAILED = "upstream_failed"
    CANCELLED = "cancelled"


class RunStatus(StrEnum):
    """The state of a whole run.

    `killed` stands in no file: whoever reads a record that says `running` asks whether its process
    is there.
    """

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    KILLED = "killed"


SUCCESSFUL = frozenset({Status.SUCCEEDED, Status.CACHED})
FINISHED = frozenset(
    {
        Status.SUCCEEDED,
        Status.CACHED,
        Status.FAILED,
        Status.SKIPPED,
        Status.UPSTREAM_FAILED,
        Status.CANCELLED,
    }
)
