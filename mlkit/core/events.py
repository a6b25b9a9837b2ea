"""What happens during a run, as values that observers receive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any

from mlkit.frozen import dataclass

__all__ = ["Event", "EventKind", "Observer"]


class EventKind(StrEnum):
    """The kinds of event; docs/events.md lists the fields of each."""

    RUN_STARTED = "run_started"
    RUN_RESUMED = "run_resumed"
    STAGE_WAITING = "stage_waiting"
    STAGE_MAPPED = "stage_mapped"
    ATTEMPT_STARTED = "attempt_started"
    CELL_STARTED = "cell_started"
    PROGRESS = "progress"
    ATTEMPT_FINISHED = "attempt_finished"
    RETRY_SCHEDULED = "retry_scheduled"
    STAGE_FINISHED = "stage_finished"
    WARNING = "warning"
    NOTIFIED = "notified"
    RUN_FINISHED = "run_finished"


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened.

    Parameters
    ----------
    kind : EventKind
        What happened.
    time : float
        When, in seconds since 1970 (UTC).
    run_id : str
        In which run.
    stage : str, optional
        To which stage or instance.
    attempt : int, optional
        In which attempt, from 1.
    data : mapping
        The kind's own fields, plain JSON.
    """

    kind: EventKind
    time: float
    run_id: str
    stage: str | None = None
    attempt: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The event as one flat JSON object."""
        place = {"stage": self.stage, "attempt": self.attempt}
        return {
            "event": self.kind.value,
            "time": round(self.time, 6),
            "run_id": self.run_id,
            **{key: value for key, value in place.items() if value is not None},
            **self.data,
        }


Observer = Callable[[Event], None]
