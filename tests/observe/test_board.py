"""The state of a run as its events tell it."""

from __future__ import annotations

from functools import reduce

from mlkit.core.events import Event, EventKind
from mlkit.core.states import RunStatus, Status
from mlkit.observe.board import Board, advance, error_text, progress_text


def test_the_board_after_a_whole_run(story: list[Event]) -> None:
    """Instances take the place of their stage; every stage has its last state."""
    board = reduce(advance, story, Board())
    assert {name: line.status for name, line in board.lines.items()} == {
        "load": Status.SUCCEEDED,
        "train[a]": Status.CACHED,
        "train[b]": Status.FAILED,
        "use": Status.UPSTREAM_FAILED,
    }
    assert list(board.lines) == ["load", "train[a]", "train[b]", "use"]
    assert board.status is RunStatus.FAILED
    assert board.seconds == 16.0
    assert board.finished == 4
    assert board.warnings == ("the store was mended",)


def test_a_running_stage_knows_its_cell_and_attempt(story: list[Event]) -> None:
    """After the start of a cell."""
    line = reduce(advance, story[:3], Board()).lines["load"]
    assert (line.status, line.cell, line.cells, line.attempt) == (Status.RUNNING, 2, 3, 1)


def test_a_retry_says_why_and_when(story: list[Event]) -> None:
    """And its stage waits; the time goes on from the first attempt."""
    line = reduce(advance, story[:5], Board()).lines["load"]
    assert line.status is Status.WAITING
    assert line.note == "ConnectionError: went away; again in 1.5 s"
    again = reduce(advance, story[:6], Board()).lines["load"]
    assert (again.attempt, again.cell, again.started) == (2, 0, line.started)


def test_a_board_is_never_changed_in_place(story: list[Event]) -> None:
    """An older board stays as it was."""
    first = advance(Board(), story[0])
    before = dict(first.lines)
    reduce(advance, story[1:], first)
    assert first.lines == before


def test_a_map_of_nothing_keeps_the_stage_itself(story: list[Event]) -> None:
    """It is then skipped under its own name."""
    board = advance(Board(), story[0])
    empty = Event(
        kind=EventKind.STAGE_MAPPED, time=0, run_id="R1", stage="train", data={"instances": []}
    )
    assert list(advance(board, empty).lines) == ["load", "train", "use"]


def test_an_error_is_told_in_one_line() -> None:
    """Its class, and the first line of its text."""
    assert error_text({"type": "E", "message": "a\nb"}) == "E: a"
    assert error_text({"type": "E", "message": ""}) == "E"
    assert error_text(None) == ""


def test_progress_stands_in_the_line_of_its_stage(story: list[Event]) -> None:
    """Bar, curve and code while the cell runs; the next cell has no bar yet."""
    board = reduce(advance, story[:2], Board())
    start = {"cell": 1, "cells": 3, "line": "fit(rows)"}
    news: list[dict[str, object]] = [
        {"metrics": {"loss": [step, 1 / (step + 1)]}} for step in range(4)
    ]
    news.append({"label": "batch", "done": 3, "total": 9})
    told: list[tuple[EventKind, dict[str, object]]] = [(EventKind.CELL_STARTED, start)]
    told += [(EventKind.PROGRESS, {"cell": 1, "cells": 3, **one}) for one in news]
    told.append((EventKind.CELL_STARTED, {"cell": 2, "cells": 3, "line": "save()"}))
    texts = []
    for kind, data in told:
        event = Event(kind=kind, time=102.0, run_id="R1", stage="load", attempt=1, data=data)
        board = advance(board, event)
        texts.append(progress_text(board.lines["load"]))
    assert texts[0] == "fit(rows)"
    assert texts[-2] == "batch 3 of 9 · loss 0.25 █▃▂▁ · fit(rows)"
    assert texts[-1] == "loss 0.25 █▃▂▁ · save()"
