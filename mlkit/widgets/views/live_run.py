"""A run in the background, and how far it has come."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from mlkit.api.local_run import run
from mlkit.core.events import Event, EventKind
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import AttemptRecord, ErrorRecord, RunRecord, StageRecord
from mlkit.core.states import FINISHED, Status
from mlkit.driver.options import RunOptions
from mlkit.driver.services import Services
from mlkit.frozen import dataclass
from mlkit.load.parameters import Layers
from mlkit.notebook.notebook_runner import Cancellation
from mlkit.observe.board import Board, Line, advance

__all__ = ["LiveRun", "Order", "Progress", "follow", "record_of"]

_TICK_S = 0.5
_AT_MOST_EVERY_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run has come: its board, and when each attempt ran.

    An attempt that goes on has no end yet: it is the one of its stage's line.
    """

    board: Board = field(default_factory=Board)
    attempts: Mapping[str, tuple[AttemptRecord, ...]] = field(default_factory=dict)
    since: Mapping[str, float] = field(default_factory=dict)


def follow(progress: Progress, event: Event) -> Progress:
    """Give the progress after an event. Pure."""
    board = advance(progress.board, event)
    stage = event.stage
    if stage is None:
        return replace(progress, board=board)
    if event.kind is EventKind.ATTEMPT_STARTED:
        return replace(progress, board=board, since={**progress.since, stage: event.time})
    if event.kind is EventKind.ATTEMPT_FINISHED:
        since = {k: v for k, v in progress.since.items() if k != stage}
        done = _attempt(event, progress.since.get(stage, event.time))
        attempts = {**progress.attempts, stage: (*progress.attempts.get(stage, ()), done)}
        return replace(progress, board=board, since=since, attempts=attempts)
    return replace(progress, board=board)


def _attempt(event: Event, started: float) -> AttemptRecord:
    error = event.data.get("error")
    told = None
    if isinstance(error, Mapping):
        told = ErrorRecord(type=str(error.get("type")), message=str(error.get("message", "")))
    return AttemptRecord(
        number=event.attempt or 1,
        status=Status(event.data.get("status", Status.FAILED)),
        started=started,
        ended=event.time,
        error=told,
    )


def record_of(progress: Progress, pipeline: Pipeline, now: float, runs_dir: Path) -> RunRecord:
    """Write the progress as the record of a run that goes on, for the pictures of runs. Pure.

    Parameters
    ----------
    progress : Progress
        What the events have told.
    pipeline : Pipeline
        What runs.
    now : float
        Where a running attempt's bar ends.
    runs_dir : Path
        The runs folder.
    """
    board = progress.board
    return RunRecord(
        run_id=board.run_id,
        pipeline=pipeline.name,
        file=str(pipeline.file),
        runs_dir=str(runs_dir),
        status=board.status,
        started=board.started,
        ended=board.started + board.seconds if board.seconds is not None else None,
        stages={name: _stage(name, line, progress, now) for name, line in board.lines.items()},
        warnings=board.warnings,
    )


def _stage(name: str, line: Line, progress: Progress, now: float) -> StageRecord:
    history = progress.attempts.get(name, ())
    since = progress.since.get(name)
    if since is not None:
        going = AttemptRecord(
            number=line.attempt, status=Status.RUNNING, started=since, ended=max(now, since)
        )
        history = (*history, going)
        ended: float | None = going.ended
    elif line.status in FINISHED and line.started is not None and line.seconds is not None:
        ended = line.started + line.seconds
    else:
        ended = None
    error = history[-1].error if history and line.status is Status.FAILED else None
    return StageRecord(
        id=name,
        stage=name.partition("[")[0],
        status=line.status,
        reason=line.note,
        started=line.started,
        ended=ended,
        history=history,
        error=error,
    )


@dataclass(frozen=True, kw_only=True)
class Order:
    """What shall run: the arguments of `mlkit.run`."""

    pipeline: Pipeline
    runs_dir: Path
    parameters: Mapping[str, Any] = field(default_factory=dict)
    layers: Layers = field(default_factory=lambda: Layers(environ=dict(os.environ)))
    options: RunOptions = field(default_factory=RunOptions)
    services: Services = field(default_factory=Services)


class LiveRun:
    """A run in a thread of its own.

    Parameters
    ----------
    order : Order
        What shall run.
    changed : callable
        Is called, from another thread, when something is new, and every half second.
    """

    def __init__(self, order: Order, changed: Callable[[LiveRun], None]) -> None:
        self.progress = Progress()
        self.record: RunRecord | None = None
        self.problem: Exception | None = None
        self.began = time.monotonic()
        self._order, self._changed = order, changed
        self._cancellation = Cancellation()
        self._ended, self._news = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="mlkit-run", daemon=True)
        self._ticker = threading.Thread(target=self._tick, name="mlkit-view", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        self._ticker.start()

    def cancel(self) -> None:
        """Ask the run to stop; what is under way is interrupted."""
        self._cancellation.request()

    @property
    def is_cancelled(self) -> bool:
        """Whether it was asked to stop."""
        return self._cancellation.requested

    @property
    def is_over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._ended.is_set()

    @property
    def seconds(self) -> float:
        """How long it has been going on, or took."""
        if self.record is not None:
            return self.record.seconds
        return time.monotonic() - self.began

    def snapshot(self) -> RunRecord:
        """The run's record; of one that goes on, as far as the events have told."""
        if self.record is not None:
            return self.record
        now = self._order.services.clock.now()
        return record_of(self.progress, self._order.pipeline, now, self._order.runs_dir)

    def wait(self, timeout_s: float | None = None) -> RunRecord | None:
        """Wait for the end, the last call of `changed` included; None if it takes longer.

        Raises
        ------
        MlkitError
            If the run could not begin.
        """
        self._ticker.join(timeout_s)
        if self.problem is not None:
            raise self.problem
        return None if self._ticker.is_alive() else self.record

    def _follow(self, event: Event) -> None:
        self.progress = follow(self.progress, event)
        self._news.set()

    def _run(self) -> None:
        order = self._order
        services = replace(
            order.services,
            observers=[*order.services.observers, self._follow],
            cancellation=self._cancellation,
        )
        try:
            self.record = run(
                order.pipeline,
                parameters=order.parameters,
                runs_dir=order.runs_dir,
                layers=order.layers,
                options=order.options,
                services=services,
            )
        except Exception as error:  # noqa: BLE001  # raised again where somebody waits, and shown
            self.problem = error
        finally:
            self._ended.set()
            self._news.set()

    def _tick(self) -> None:
        """Tell of news, but not too often, and let the clock go on when there is none."""
        while not self._ended.is_set():
            self._news.wait(_TICK_S)
            self._news.clear()
            self._changed(self)
            self._ended.wait(_AT_MOST_EVERY_S)
        self._thread.join()
        self._changed(self)
