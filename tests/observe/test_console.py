"""What a person sees while a run goes on."""

from __future__ import annotations

import io
import subprocess
import sys
from functools import reduce

import pytest
from rich.cells import cell_len
from rich.console import Console

from mlkit.core.events import Event
from mlkit.core.states import Status
from mlkit.observe.board import Board, Line, Lines, advance
from mlkit.observe.console import PlainConsole
from mlkit.observe.live_table import LiveConsole, draw_board, fitting
from mlkit.observe.terminal import console_for


class Broken(io.StringIO):
    """A stream whose reader is gone."""

    def write(self, text: str) -> int:
        """Fail."""
        raise BrokenPipeError(32, "Broken pipe")


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def shown(board: Board, now: float, height: int = 50, width: int = 100) -> str:
    """Draw a board as plain text."""
    out = io.StringIO()
    Console(file=out, width=width).print(draw_board(board, now, (width, height)))
    return out.getvalue()


def test_plain_lines_tell_what_matters_and_no_more(story: list[Event]) -> None:
    """One line an event; cells and attempts' ends are not told."""
    out = io.StringIO()
    with PlainConsole(out) as console:
        for event in story:
            console(event)
    assert out.getvalue().splitlines() == [
        "run R1 of demo started: 3 stages",
        "▶ load: started (never run)",
        "↻ load: ConnectionError: went away; again in 1.5 s",
        "▶ load: attempt 2 started",
        "✓ load: succeeded in 4.5 s, attempt 2",
        "train: 2 instances",
        "≡ train[a]: cached (unchanged)",
        "▶ train[b]: started (parameter b changed)",
        "warning: train[b]: the store was mended",
        "✗ train[b]: failed in 2.0 s (ConnectionError: went away)",
        "△ use: upstream failed (train[b] failed)",
        "✗ run R1: failed in 16.0 s",
    ]


def test_a_stream_that_breaks_does_not_fail_the_run(story: list[Event]) -> None:
    """The observer remembers it and goes silent."""
    console = PlainConsole(Broken())
    for event in story:
        console(event)
    assert console.broken == "[Errno 32] Broken pipe"


def test_a_narrow_encoding_does_not_fail_the_run(story: list[Event]) -> None:
    """Signs that it lacks become plain ones."""
    raw = io.BytesIO()
    console = PlainConsole(io.TextIOWrapper(raw, encoding="ascii"))
    for event in story:
        console(event)
    assert b"> load: started (never run)" in raw.getvalue()
    assert console.broken is None


def test_the_table_shows_state_cell_attempt_and_elapsed(story: list[Event]) -> None:
    """Of a stage that is running."""
    board = reduce(advance, [*story[:6], story[2]], Board())
    line = next(row for row in shown(board, now=112.0).splitlines() if "load" in row)
    assert line.split()[:3] == ["▶", "load", "running"]
    assert "2 of 3" in line
    assert "10.0 s" in line


def test_the_table_ends_with_the_progress_and_the_verdict(story: list[Event]) -> None:
    """All stages counted, and the run's state."""
    board = reduce(advance, story, Board())
    last = shown(board, now=200.0).splitlines()[-1]
    assert "4 of 4 stages, 16.0 s" in last
    assert "✗ failed" in last


def test_a_low_terminal_shows_what_matters_most(story: list[Event]) -> None:
    """Failures and what runs before what is done."""
    board = reduce(advance, story, Board())
    assert fitting(board, 50) == ["load", "train[a]", "train[b]", "use"]
    assert fitting(board, 8) == ["train[b]", "use"]
    assert "… and 2 more" in shown(board, 200.0, height=8)


def test_a_narrow_terminal_cuts_the_notes_only(story: list[Event]) -> None:
    """Names, states and times stay whole."""
    lines = shown(reduce(advance, story, Board()), now=200.0, width=60).splitlines()
    failed = next(line for line in lines if "train[b]" in line)
    assert failed.split()[:3] == ["✗", "train[b]", "failed"]
    assert failed.endswith("…")
    assert max(map(len, lines)) <= 60


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_long_or_wide_name_gives_way(width: int) -> None:
    """State and time stay on the line, and no line is wider than the terminal."""
    names = ["a_stage_with_a_name" * 5, "数据" * 30, "short"]
    lines = {name: Line(status=Status.SUCCEEDED, started=1.0, seconds=2.0) for name in names}
    shown_lines = shown(Board(run_id="R", lines=Lines(lines)), now=9.0, width=width).splitlines()
    assert max(map(cell_len, shown_lines)) <= width
    told = sum("succeeded" in line and "2.0 s" in line for line in shown_lines)
    assert width < 60 or told == len(names)


def test_the_live_table_stays_on_the_screen(story: list[Event]) -> None:
    """With the warnings above it."""
    out = Terminal()
    console = Console(file=out, force_terminal=True, width=100, height=40)
    with LiveConsole(console, clock=lambda: 120.0) as live:
        for event in story:
            live(event)
    text = out.getvalue()
    assert "warning: train[b]: the store was mended" in text
    assert "4 of 4 stages" in text
    assert live.broken is None


def test_the_console_is_chosen_by_the_stream() -> None:
    """A table for a terminal, lines for everything else."""
    assert isinstance(console_for(io.StringIO()), PlainConsole)
    assert isinstance(console_for(Terminal()), LiveConsole | PlainConsole)


def test_rich_is_not_imported_for_plain_lines() -> None:
    """It costs time that a pipe gains nothing from."""
    code = (
        "import sys, io; from mlkit.observe.terminal import console_for;"
        " console_for(io.StringIO());"
        " sys.exit('rich' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
