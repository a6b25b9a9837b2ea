"""What is said of a run while it goes on, where there is no terminal: a line for what matters."""

from __future__ import annotations

import sys
import threading
from typing import Self, TextIO

from mlkit.core.durations import format_duration
from mlkit.core.events import Event, EventKind
from mlkit.core.states import Status
from mlkit.observe.board import Board, advance, error_text
from mlkit.observe.layout import clean, counted
from mlkit.observe.plain import writable
from mlkit.observe.signs import RUN_SIGNS, SIGNS

__all__ = ["PlainConsole", "plain_line", "warning_line"]

_MOST_NOTE = 160


def plain_line(event: Event, board: Board) -> str | None:
    """Say an event in one line, if it is worth one.

    Parameters
    ----------
    event : Event
        What happened.
    board : Board
        The board after it.

    Returns
    -------
    str or None
        None for events that matter to nobody, such as the start of a cell, or that a warning
        tells anyway, such as a notification that failed.
    """
    data = event.data
    match event.kind:
        case EventKind.RUN_STARTED | EventKind.RUN_RESUMED:
            verb = "resumed" if event.kind is EventKind.RUN_RESUMED else "started"
            stages = counted(len(board.lines), "stage")
            return f"run {event.run_id} of {board.pipeline} {verb}: {stages}"
        case EventKind.STAGE_WAITING:
            return f"{event.stage}: waits for {data.get('for', 'a file')}"
        case EventKind.STAGE_MAPPED:
            return f"{event.stage}: {counted(len(data.get('instances', ())), 'instance')}"
        case EventKind.ATTEMPT_STARTED:
            if event.attempt is not None and event.attempt > 1:
                return f"▶ {event.stage}: attempt {event.attempt} started"
            return f"▶ {event.stage}: started{_because(data.get('reason'))}"
        case EventKind.RETRY_SCHEDULED:
            delay = format_duration(float(data.get("delay_s", 0.0)))
            return f"↻ {event.stage}: {_short(error_text(data.get('error')))}; again in {delay}"
        case EventKind.STAGE_FINISHED:
            return _finished_line(event, board)
        case EventKind.WARNING:
            return warning_line(event)
        case EventKind.NOTIFIED if data.get("ok"):
            place = f"{event.stage}: " if event.stage else ""
            return f"{place}told {data.get('url_scheme', 'somebody')}"
        case EventKind.RUN_FINISHED:
            took = format_duration(board.seconds or 0.0)
            return f"{RUN_SIGNS[board.status].glyph} run {event.run_id}: {board.status} in {took}"
    return None


def _finished_line(event: Event, board: Board) -> str:
    line = board.lines[event.stage or ""]
    sign = SIGNS[line.status]
    ran = line.status in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)
    took = f" in {format_duration(line.seconds)}" if ran and line.seconds is not None else ""
    many = f", attempt {line.attempt}" if line.attempt > 1 else ""
    why = "" if line.status is Status.SUCCEEDED else _because(line.note)
    return f"{sign.glyph} {event.stage}: {sign.word}{took}{many}{why}"


def warning_line(event: Event) -> str:
    """Say a warning in one line, with its stage unless it names it itself."""
    message = str(event.data.get("message", ""))
    named = event.stage is None or event.stage in message
    return f"warning: {message}" if named else f"warning: {event.stage}: {message}"


def _because(reason: object) -> str:
    return f" ({_short(str(reason))})" if reason else ""


def _short(words: str) -> str:
    one_line = " ".join(clean(words).split())
    return one_line if len(one_line) <= _MOST_NOTE else one_line[: _MOST_NOTE - 1] + "…"


class PlainConsole:
    """An observer that writes one short line for each event that matters, for logs and pipes.

    Parameters
    ----------
    stream : text file, optional
        Default: stderr. A stream that cannot be written never fails a run.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._board = Board()
        self._lock = threading.Lock()
        self.broken: str | None = None

    def __call__(self, event: Event) -> None:
        """Take an event."""
        with self._lock:
            self._board = advance(self._board, event)
            line = plain_line(event, self._board)
            if line is not None and self.broken is None:
                self._write(line)

    def _write(self, line: str) -> None:
        encoding = getattr(self._stream, "encoding", None)
        try:
            self._stream.write(writable(clean(line), encoding) + "\n")
            self._stream.flush()
        except (OSError, ValueError) as error:
            self.broken = str(error)

    def __enter__(self) -> Self:
        """Give the observer itself; there is nothing to open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left open."""
