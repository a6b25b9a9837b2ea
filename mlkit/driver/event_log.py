"""Read a run's event log while others write it."""

from __future__ import annotations

import json
from pathlib import Path

from mlkit.core.events import Event, EventKind

__all__ = ["read_events"]


def read_events(path: Path, start: int) -> tuple[list[Event], int]:
    """Read the events that were added to a run's log.

    Parameters
    ----------
    path : Path
        The events.jsonl.
    start : int
        The byte from which to read.

    Returns
    -------
    list of Event, int
        The new events, and the byte from which to go on; half a line is left for later.
    """
    if not path.exists():
        return [], start
    with path.open("rb") as stream:
        stream.seek(start)
        lines = stream.read()
    whole, _, _ = lines.rpartition(b"\n")
    events = [_event(json.loads(line)) for line in whole.splitlines() if line.strip()]
    return events, start + len(whole) + (1 if whole else 0)


def _event(data: dict[str, object]) -> Event:
    kind, time, run_id = data.pop("event"), data.pop("time"), data.pop("run_id")
    stage, attempt = data.pop("stage", None), data.pop("attempt", None)
    return Event(
        kind=EventKind(str(kind)),
        time=float(str(time)),
        run_id=str(run_id),
        stage=None if stage is None else str(stage),
        attempt=None if attempt is None else int(str(attempt)),
        data=data,
    )
