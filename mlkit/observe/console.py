"""What a person sees while a run goes on: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from mlkit.core.durations import format_duration
from mlkit.core.events import Event, EventKind
from mlkit.core.states import Status
from mlkit.observe.board import Board, advance, error_text
from mlkit.observe.plain import writable
from mlkit.observe.signs import RUN_SIGNS, SIGNS

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

__all__ = ["LiveConsole", "PlainConsole", "console_for", "plain_line"]

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
            return f"run {event.run_id} of {board.pipeline} {verb}: {len(board.lines)} stages"
        case EventKind.STAGE_WAITING:
            return f"{event.stage}: waits for {data.get('for', 'a file')}"
        case EventKind.STAGE_MAPPED:
            return f"{event.stage}: {len(data.get('instances', ()))} instances"
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
            return _warning_line(event)
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


def _warning_line(event: Event) -> str:
    message = str(event.data.get("message", ""))
    named = event.stage is None or event.stage in message
    return f"warning: {message}" if named else f"warning: {event.stage}: {message}"


def _because(reason: object) -> str:
    return f" ({_short(str(reason))})" if reason else ""


def _short(words: str) -> str:
    one_line = " ".join(words.split())
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
            self._stream.write(writable(line, encoding) + "\n")
            self._stream.flush()
        except (OSError, ValueError) as error:
            self.broken = str(error)

    def __enter__(self) -> Self:
        """Give the observer itself; there is nothing to open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing is left open."""


class LiveConsole:
    """An observer that keeps a table of the stages up to date in a terminal.

    Use it as a context manager; the last table stays on the screen.

    Parameters
    ----------
    console : rich.console.Console, optional
        Default: one on stderr.
    clock : callable, optional
        Gives the present time in seconds since 1970.
    """

    def __init__(
        self, console: Console | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        from rich.console import Console as RichConsole

        self._console = console if console is not None else RichConsole(stderr=True)
        self._clock = clock
        self._board = Board()
        self._lock = threading.Lock()
        self._live: Live | None = None
        self.broken: str | None = None

    def __enter__(self) -> Self:
        """Start to show the table."""
        from rich.live import Live

        self._live = Live(
            get_renderable=self.render,
            console=self._console,
            refresh_per_second=5,
            transient=False,
        )
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Show the table a last time and give the terminal back."""
        live, self._live = self._live, None
        if live is not None:
            try:
                live.stop()
            except (OSError, ValueError) as broken:
                self.broken = str(broken)

    def __call__(self, event: Event) -> None:
        """Take an event; the table follows at its next refresh."""
        with self._lock:
            self._board = advance(self._board, event)
        if event.kind is EventKind.WARNING:
            self._say(_warning_line(event))

    def _say(self, line: str) -> None:
        try:
            self._console.print(line, style="yellow", markup=False, highlight=False)
        except (OSError, ValueError) as error:
            self.broken = str(error)

    def render(self) -> RenderableType:
        """Draw the board as it is now."""
        from mlkit.observe.live_table import draw_board

        return draw_board(self._board, self._clock(), self._console.size)


def console_for(stream: TextIO | None = None) -> LiveConsole | PlainConsole:
    """Choose the live table for a terminal, plain lines for everything else."""
    target = stream if stream is not None else sys.stderr
    if not target.isatty():
        return PlainConsole(target)
    from rich.console import Console as RichConsole

    console = RichConsole(file=target)
    return PlainConsole(target) if console.is_dumb_terminal else LiveConsole(console)
