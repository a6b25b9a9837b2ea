"""The states of stages, attempts and runs."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["FINISHED", "SUCCESSFUL", "WELL_ENDED", "RunStatus", "Status"]


class Status(StrEnum):
    """The state of a stage (or of one instance of a mapped stage) within a run, or of an attempt.

    Only an attempt is ever `lost`: its process went away without a word, killed or with its
    machine.
    """

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    CACHED = "cached"
    FAILED = "failed"
    SKIPPED = "skipped"
    UPSTREAM_FAILED = "upstream_failed"
    CANCELLED = "cancelled"
    LOST = "lost"


class RunStatus(StrEnum):
    """The state of a whole run.

    `killed` and `waiting` stand in no file: a reader of a record that says `running` asks whether
    its process is there. A run whose stages an engine calls one by one has none between two calls:
    it waits for its engine.
    """

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    KILLED = "killed"
    WAITING = "waiting"


SUCCESSFUL = frozenset({Status.SUCCEEDED, Status.CACHED})
WELL_ENDED = SUCCESSFUL | {Status.SKIPPED}
"""Those that have done what they were meant to."""
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
