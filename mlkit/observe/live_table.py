"""The board of a run as a table for a terminal, and the console that keeps it up to date."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Self

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mlkit.core.durations import format_duration
from mlkit.core.events import Event, EventKind
from mlkit.core.states import FINISHED, RunStatus, Status
from mlkit.observe.board import Board, Line, advance, progress_text
from mlkit.observe.console import warning_line
from mlkit.observe.signs import RUN_SIGNS, SIGNS

__all__ = ["LiveConsole", "draw_board", "elapsed", "fitting"]

_AROUND = 5
_BAR = 30
_GAP = 2
_LEAST_NAME = 10
_TITLES = ("", "stage", "state", "cell", "attempt", "time")
_NUMBERS = frozenset({"cell", "attempt", "time"})
_IMPORTANCE: Mapping[Status, int] = {
    Status.FAILED: 0,
    Status.RUNNING: 1,
    Status.CANCELLED: 2,
    Status.LOST: 2,
    Status.UPSTREAM_FAILED: 3,
    Status.WAITING: 4,
    Status.SUCCEEDED: 5,
    Status.SKIPPED: 6,
    Status.CACHED: 7,
}


def elapsed(line: Line, now: float) -> str:
    """How long a stage took, or has taken so far."""
    if line.status in FINISHED:
        ran = line.started is not None and line.seconds is not None
        return format_duration(line.seconds or 0.0) if ran else ""
    return "" if line.started is None else format_duration(max(0.0, now - line.started))


def fitting(board: Board, height: int) -> Sequence[str]:
    """Choose the stages that matter most, if the terminal has too few lines for all.

    Returns
    -------
    sequence of str
        Names, in the order of the board.
    """
    room = max(1, height - _AROUND)
    names = list(board.lines)
    if len(names) <= room:
        return names
    ranked = sorted(names, key=lambda name: _IMPORTANCE[board.lines[name].status])
    kept = set(ranked[: room - 1])
    return [name for name in names if name in kept]


def draw_board(board: Board, now: float, size: tuple[int, int] = (100, 50)) -> RenderableType:
    """Draw a board.

    Parameters
    ----------
    board : Board
        The run's state.
    now : float
        The present time, for what is still running.
    size : (int, int)
        The terminal's columns and lines.
    """
    width, height = size
    shown = fitting(board, height)
    rows = [_cells(name, board.lines[name], now) for name in shown]
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, _GAP, 0, 0))
    for index, (title, wide) in enumerate(zip(_TITLES, _widths(rows, width), strict=True)):
        justify: Literal["left", "right"] = "right" if title in _NUMBERS else "left"
        for row in rows:
            row[index].truncate(wide, overflow="ellipsis")
        table.add_column(title, justify=justify, no_wrap=True, width=wide)
        width -= wide + _GAP
    table.add_column("", no_wrap=True)
    for row in rows:
        row[-1].truncate(max(0, width), overflow="ellipsis")
        table.add_row(*row)
    hidden = len(board.lines) - len(shown)
    more = [Text(f"… and {hidden} more", style="dim")] if hidden else []
    return Group(table, *more, _progress(board, now))


def _widths(rows: Sequence[Sequence[Text]], width: int) -> list[int]:
    """How wide each column is; names of stages give way where the terminal is too narrow."""
    widths = [
        max([len(title), *(cell_len(row[index].plain) for row in rows)])
        for index, title in enumerate(_TITLES)
    ]
    over = sum(widths) + _GAP * len(widths) - width
    name = _TITLES.index("stage")
    widths[name] = max(min(widths[name], _LEAST_NAME), widths[name] - max(0, over))
    return widths


def _cells(name: str, line: Line, now: float) -> list[Text]:
    sign = SIGNS[line.status]
    running = line.status is Status.RUNNING
    cell = f"{line.cell} of {line.cells}" if running and line.cells else ""
    return [
        Text(sign.glyph, style=sign.style),
        Text(name),
        Text(sign.word, style=sign.style),
        Text(cell),
        Text(str(line.attempt) if line.attempt > 1 else ""),
        Text(elapsed(line, now)),
        Text(" ".join(_told(line).split()), style="dim"),
    ]


def _told(line: Line) -> str:
    """Of a stage that runs, how far it is; before that and afterwards why."""
    told = progress_text(line) if line.status is Status.RUNNING else ""
    return told or line.note


def _progress(board: Board, now: float) -> Text:
    total = len(board.lines)
    filled = round(_BAR * board.finished / total) if total else 0
    took = board.seconds if board.seconds is not None else max(0.0, now - board.started)
    words = f" {board.finished} of {total} stages, {format_duration(took if total else 0.0)}"
    line = Text("━" * filled, style="green") + Text("━" * (_BAR - filled), style="dim")
    line.append(words)
    if board.status is not RunStatus.RUNNING:
        sign = RUN_SIGNS[board.status]
        line.append(f"  {sign}", style=sign.style)
    return line


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
        self._console = console if console is not None else Console(stderr=True)
        self._clock = clock
        self._board = Board()
        self._lock = threading.Lock()
        self._live: Live | None = None
        self.broken: str | None = None

    def __enter__(self) -> Self:
        """Start to show the table."""
        self._live = Live(
            get_renderable=self.render,
            console=self._console,
            refresh_per_second=5,
            transient=False,
        )
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
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
            self._say(warning_line(event))

    def _say(self, line: str) -> None:
        try:
            self._console.print(line, style="yellow", markup=False, highlight=False)
        except (OSError, ValueError) as error:
            self.broken = str(error)

    def render(self) -> RenderableType:
        """Draw the board as it is now."""
        return draw_board(self._board, self._clock(), self._console.size)
