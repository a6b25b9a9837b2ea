"""A run's event log: one event a line, by any writer, even after a torn last line."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from pathlib import Path

from mlkit.core.events import Event, EventKind

__all__ = ["append_line", "has_finished", "last_signs", "open_log", "read_events"]

_BLOCK_BYTES = 65_536


def open_log(path: Path) -> int:
    """Open an events.jsonl for adding to it; gives the file descriptor."""
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)


def append_line(descriptor: int, line: bytes) -> None:
    """Add a line, whole or not at all.

    Others may write the same file, so its lock is held. What a crash left of a last line is
    completed if it is an event that lacks its end only, and taken away otherwise.

    Raises
    ------
    OSError
        If the disk refuses; then the file is as it was.
    """
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        _mend(descriptor)
        size = os.fstat(descriptor).st_size
        try:
            left = memoryview(line)
            while left:
                left = left[os.write(descriptor, left) :]
        except OSError:
            with contextlib.suppress(OSError):  # the next one who writes mends it
                os.ftruncate(descriptor, size)
            raise
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _mend(descriptor: int) -> None:
    size = os.fstat(descriptor).st_size
    if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n":
        return
    start, tail = size, b""
    while start > 0 and b"\n" not in tail:
        block = min(_BLOCK_BYTES, start)
        start -= block
        tail = os.pread(descriptor, block, start) + tail
    last = tail.rpartition(b"\n")[2]
    if _parsed(last) is None:
        os.ftruncate(descriptor, size - len(last))
    else:
        os.write(descriptor, b"\n")


def has_finished(path: Path) -> bool:
    """Whether the run of an event log has ended, and has not gone on since."""
    lines = path.read_bytes() if path.exists() else b""
    content = b"\n" + lines[: lines.rfind(b"\n") + 1]

    def last(kind: EventKind) -> int:
        return content.rfind(f'\n{{"event": "{kind.value}"'.encode())

    went_on = max(last(EventKind.RUN_STARTED), last(EventKind.RUN_RESUMED))
    return last(EventKind.RUN_FINISHED) > went_on


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
        The new events, and the byte from which to go on; half a line is left for later. A line
        that is no event, and a kind that is not known, is passed over.
    """
    if not path.exists():
        return [], start
    with path.open("rb") as stream:
        stream.seek(start)
        lines = stream.read()
    whole, _, _ = lines.rpartition(b"\n")
    found = [_parsed(line) for line in whole.split(b"\n") if line.strip()]
    return [event for event in found if event], start + len(whole) + (1 if whole else 0)


def last_signs(path: Path) -> dict[str, float]:
    """When something happened last with each instance of a run, by its event log."""
    events, _ = read_events(path, 0)
    return {event.stage: event.time for event in events if event.stage is not None}


def _parsed(line: bytes) -> Event | None:
    """The event in a line; None if it holds none."""
    try:
        data = json.loads(line)
        return _event(data) if isinstance(data, dict) else None
    except (ValueError, KeyError):
        return None


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
