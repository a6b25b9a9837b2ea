"""Follow one run by its event log, wherever it was started: a panel, a terminal, `serve`."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from mlkit.api.records import find_run
from mlkit.core.events import EventKind
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.states import RunStatus, Status
from mlkit.driver.event_log import read_events
from mlkit.errors import UnknownRunError
from mlkit.observe.board import Board
from mlkit.store.folder import RunsFolder
from mlkit.widgets.views.live_run import Progress, follow, record_of
from mlkit.widgets.views.pipeline_view import told

__all__ = ["FollowedRun"]

_ASK_EVERY_S = 0.5
"""How often it is asked whether a run's process is there still."""


class FollowedRun:
    """A run, read on from where it was read last.

    Parameters
    ----------
    runs_dir : Path
        The runs folder.
    run_id : str
        The run, whole.
    """

    def __init__(self, runs_dir: Path, run_id: str) -> None:
        self.run_id = run_id
        self.file = ""
        """Its pipeline.yaml, once the first event has told it."""
        self.progress = Progress()
        self._runs_dir = runs_dir
        self._folder = RunsFolder(runs_dir).run(run_id)
        self._read_to = 0
        self._ended: RunRecord | None = None
        self._asked_at = -_ASK_EVERY_S
        self._is_alive = True

    @property
    def is_over(self) -> bool:
        """Whether it has ended, as far as it was read."""
        return self._ended is not None

    def look(self) -> bool:
        """Read what has happened since; whether anything has."""
        events, self._read_to = read_events(self._folder.events, self._read_to)
        for event in events:
            if event.kind in (EventKind.RUN_STARTED, EventKind.RUN_RESUMED):
                self.file = str(event.data.get("file", ""))
                board = replace(self.progress.board, status=RunStatus.RUNNING, seconds=None)
                self.progress = replace(self.progress, board=board)
            self.progress = follow(self.progress, event)
        if events:
            self._ended = None
        return self._take_end() or bool(events)

    def _take_end(self) -> bool:
        """Read the record of a run that has ended, or whose process is gone."""
        if self._ended is not None:
            return False
        if self.progress.board.seconds is None and self._lives():
            return False
        try:
            record = find_run(self.run_id, self._runs_dir)
        except UnknownRunError:  # it has made its folder, and not said yet what it is
            return False
        if record.ended is None and record.status is RunStatus.RUNNING:
            return False
        self._ended = record
        return True

    def _lives(self) -> bool:
        now = time.monotonic()
        if now - self._asked_at >= _ASK_EVERY_S:
            self._asked_at, self._is_alive = now, self._folder.is_alive()
        return self._is_alive

    def record(self, pipeline: Pipeline) -> RunRecord:
        """The run as far as it has come."""
        if self._ended is not None:
            return self._ended
        return record_of(self.progress, pipeline, time.time(), self._runs_dir)

    def said(self, record: RunRecord) -> str:
        """A sentence about it."""
        if self._ended is not None:
            return told(record)
        return _going(self.progress.board)


def _going(board: Board) -> str:
    now = [name for name, line in board.lines.items() if line.status is Status.RUNNING]
    words = f"▶ run {board.run_id}: {board.finished} of {len(board.lines)} have finished"
    later = [
        f"{name} ({line.note})"
        for name, line in board.lines.items()
        if line.status is Status.WAITING and line.note
    ]
    said = [f"{words}; now {', '.join(now)}" if now else words, *later[:3]]
    return f"{'; '.join(said)}."
