"""Follow a run by its events, whichever process carries it out."""

from __future__ import annotations

from pathlib import Path

from mlkit.core.record import RunRecord
from mlkit.driver.event_log import read_events
from mlkit.observe.board import Board, advance

__all__ = ["RunFollower"]


class RunFollower:
    """Reads on in a run's events each time that it is asked how the run stands.

    Parameters
    ----------
    record : RunRecord
        The run.
    """

    def __init__(self, record: RunRecord) -> None:
        self.run_id = record.run_id
        self._file = Path(record.runs_dir) / record.run_id / "events.jsonl"
        self._read, self._board = 0, Board()

    def board(self) -> Board:
        """The board as the events tell it by now."""
        events, self._read = read_events(self._file, self._read)
        for event in events:
            self._board = advance(self._board, event)
        return self._board
