"""The state of a run as its events tell it. Pure: an event in, a new board out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any

from mlkit.core.events import Event, EventKind
from mlkit.core.states import FINISHED, RunStatus, Status
from mlkit.frozen import dataclass, replace

if TYPE_CHECKING:
    from mlkit.core.progress import Bar

__all__ = ["Board", "Line", "Lines", "advance", "error_text", "progress_text", "spark"]

_CURVE, _SPARK, _CURVES, _FEWEST = 60, 12, 2, 3
_HEIGHTS = "▁▂▃▄▅▆▇█"
_PART = 64
"""So many lines stand in one part: near the square root of the longest boards."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One stage on the board.

    Parameters
    ----------
    status : Status
        Its state.
    attempt : int
        The present attempt; 0 before the first.
    cell, cells : int
        The code cell that runs, from 1, and how many there are.
    started : float, optional
        When its first attempt started.
    seconds : float, optional
        How long it took, once it has finished.
    note : str
        What is worth saying: a wait, a retry, an error, a reason.
    code : str
        The first line of the cell that runs.
    bar : Bar, optional
        How far the work in it has come.
    curves : mapping of str to tuple of float
        What the attempt has logged so far, as far as it was told: the latest values.
    """

    status: Status = Status.WAITING
    attempt: int = 0
    cell: int = 0
    cells: int = 0
    started: float | None = None
    seconds: float | None = None
    note: str = ""
    code: str = ""
    bar: Bar | None = None
    curves: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


class Lines(Mapping[str, Line]):
    """The lines of a board: a change makes a copy, which shares nearly everything with the old one.

    Every event is a change, and a map of thousands has tens of thousands of them; a plain dict
    would be copied whole each time.
    """

    def __init__(self, lines: Mapping[str, Line] | None = None) -> None:
        pairs = list((lines or {}).items())
        parts = range(0, len(pairs), _PART)
        self._parts = tuple(dict(pairs[start : start + _PART]) for start in parts)
        self._place = {name: index // _PART for index, (name, _) in enumerate(pairs)}

    def __getitem__(self, name: str) -> Line:
        """One line."""
        return self._parts[self._place[name]][name]

    def __iter__(self) -> Iterator[str]:
        """The names, in the order in which they were announced."""
        return iter(self._place)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._place)

    def put(self, name: str, line: Line) -> Lines:
        """Give the lines with one of them changed, or added."""
        place = self._place.get(name)
        if place is None:
            return Lines({**self, name: line})
        changed = Lines()
        changed._place = self._place
        changed._parts = (
            *self._parts[:place],
            {**self._parts[place], name: line},
            *self._parts[place + 1 :],
        )
        return changed


@dataclass(frozen=True, kw_only=True)
class Board:
    """All stages of a run, in the order in which they were announced.

    Parameters
    ----------
    run_id, pipeline : str
        Empty before the run has started.
    started : float
        When the run started.
    seconds : float, optional
        How long it took, once it has finished.
    """

    run_id: str = ""
    pipeline: str = ""
    started: float = 0.0
    seconds: float | None = None
    status: RunStatus = RunStatus.RUNNING
    lines: Lines = field(default_factory=Lines)
    warnings: tuple[str, ...] = ()

    @property
    def finished(self) -> int:
        """How many stages have finished."""
        return sum(line.status in FINISHED for line in self.lines.values())


def advance(board: Board, event: Event) -> Board:
    """Give the board after an event; an event of an unknown kind changes nothing."""
    data = event.data
    match event.kind:
        case EventKind.RUN_STARTED | EventKind.RUN_RESUMED:
            names = data.get("stages", ())
            return replace(
                board,
                run_id=event.run_id,
                pipeline=str(data.get("pipeline", "")),
                started=event.time,
                lines=Lines({str(name): board.lines.get(name, Line()) for name in names}),
            )
        case EventKind.STAGE_MAPPED:
            return _map(board, event)
        case EventKind.WARNING:
            return replace(board, warnings=(*board.warnings, str(data.get("message", ""))))
        case EventKind.RUN_FINISHED:
            status = RunStatus(data.get("status", RunStatus.FAILED))
            return replace(board, status=status, seconds=_number(data.get("seconds")))
    if event.stage is None:
        return board
    line = _step(board.lines.get(event.stage, Line()), event)
    return replace(board, lines=board.lines.put(event.stage, line))


def _map(board: Board, event: Event) -> Board:
    """Put the instances in the place of their stage."""
    instances = [str(name) for name in event.data.get("instances", ())]
    known = frozenset(instances)
    lines: dict[str, Line] = {}
    for name, line in board.lines.items():
        if name == event.stage and instances:
            lines.update({item: board.lines.get(item, Line()) for item in instances})
        elif name not in known:
            lines[name] = line
    for item in instances:
        lines.setdefault(item, Line())
    return replace(board, lines=Lines(lines))


def _step(line: Line, event: Event) -> Line:
    data = event.data
    match event.kind:
        case EventKind.STAGE_WAITING:
            return replace(line, note=f"waits for {data.get('for', 'a file')}")
        case EventKind.ATTEMPT_STARTED:
            return replace(
                line,
                status=Status.RUNNING,
                attempt=event.attempt or line.attempt + 1,
                cell=0,
                cells=int(data.get("cells", 0)),
                code="",
                bar=None,
                curves={},
                started=line.started if line.started is not None else event.time,
                note=str(data.get("reason", "")),
            )
        case EventKind.CELL_STARTED:
            cells = int(data.get("cells", line.cells))
            code = str(data.get("line", ""))
            return replace(line, cell=int(data.get("cell", 0)), cells=cells, code=code, bar=None)
        case EventKind.PROGRESS:
            return _progressed(line, data)
        case EventKind.RETRY_SCHEDULED:
            delay = _number(data.get("delay_s")) or 0.0
            note = f"{error_text(data.get('error'))}; again in {delay:.1f} s"
            return replace(line, status=Status.WAITING, note=note)
        case EventKind.STAGE_FINISHED:
            error = error_text(data.get("error"))
            return replace(
                line,
                status=Status(data.get("status", Status.FAILED)),
                seconds=_number(data.get("seconds")),
                attempt=int(data.get("attempts", line.attempt)),
                note=error or str(data.get("reason") or ""),
            )
    return line


def _progressed(line: Line, data: Mapping[str, Any]) -> Line:
    # Nothing tells how far it is where nothing runs.
    from mlkit.core.progress import Bar

    curves = dict(line.curves)
    for name, point in (data.get("metrics") or {}).items():
        curves[name] = (*curves.get(name, ()), float(point[1]))[-_CURVE:]
    return replace(line, bar=Bar.from_json(data) or line.bar, curves=curves)


def progress_text(line: Line) -> str:
    """Say how far the work of a stage has come within its present cell; empty if nothing is told.

    Parameters
    ----------
    line : Line
        The stage's line.
    """
    parts = [str(line.bar)] if line.bar is not None else []
    parts += [
        f"{name} {values[-1]:.4g} {spark(values)}".rstrip()
        for name, values in list(line.curves.items())[:_CURVES]
    ]
    return " · ".join([*parts, line.code] if line.code else parts)


def spark(values: Sequence[float]) -> str:
    """Draw a curve with characters as high as they are; empty for fewer than three values."""
    if len(values) < _FEWEST:
        return ""
    shown = values[-_SPARK:]
    low, high = min(shown), max(shown)
    scale = (len(_HEIGHTS) - 1) / ((high - low) or 1.0)
    return "".join(_HEIGHTS[round((value - low) * scale)] for value in shown)


def error_text(error: Any) -> str:
    """The class and the first line of an error in an event; empty if there is none."""
    if not isinstance(error, Mapping):
        return ""
    first = str(error.get("message", "")).strip().split("\n", 1)[0]
    return f"{error.get('type', 'error')}: {first}" if first else str(error.get("type", "error"))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
