"""The run's own event log, and everybody who listens to it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mlkit.core.events import Event, EventKind, Observer
from mlkit.core.record import RunRecord
from mlkit.core.scrubbing import Scrubber
from mlkit.core.states import RunStatus
from mlkit.core.values import encode
from mlkit.driver.clock import Clock
from mlkit.driver.event_log import append_line, open_log
from mlkit.driver.options import RunOptions
from mlkit.store.folder import readable_os_errors

__all__ = ["Journal"]

_SAID = frozenset({"error", "label", "line", "message", "note", "reason"})
"""The fields of events in which anything may stand."""
_written = json.JSONEncoder(ensure_ascii=False, default=str).encode


class Journal:
    """Writes events.jsonl, one event a line, and hands each event to the observers.

    Parameters
    ----------
    run_id : str
        The run.
    path : Path
        The file; events are added to it.
    clock : Clock
        Dates the events.
    scrubber : Scrubber
        What must not appear.
    observers : sequence of callable
        Each is told of every event; one that fails is told no more.
    """

    def __init__(
        self,
        run_id: str,
        path: Path,
        clock: Clock,
        scrubber: Scrubber,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.run_id = run_id
        self.clock = clock
        self.scrubber = scrubber
        self.observers = list(observers)
        with readable_os_errors(path.parent):
            self._descriptor = open_log(path)
        self.path = path

    def emit(
        self,
        kind: EventKind,
        stage: str | None = None,
        attempt: int | None = None,
        *,
        kept: bool = True,
        **data: Any,
    ) -> None:
        """Write an event and tell it; one that is not kept is told only."""
        event = Event(
            kind=kind,
            time=self.clock.now(),
            run_id=self.run_id,
            stage=stage,
            attempt=attempt,
            data={key: self._scrubbed(key, value) for key, value in data.items()},
        )
        line = _written(event.to_json()) + "\n"
        if kept:
            with readable_os_errors(self.path):
                append_line(self._descriptor, line.encode("utf-8", "backslashreplace"))
        self.pass_on(event)

    def pass_on(self, event: Event) -> None:
        """Tell the observers of an event, which may be one that another process has logged."""
        for observer in list(self.observers):
            self._tell(observer, event)

    def tell_start(
        self,
        kind: EventKind,
        record: RunRecord,
        stages: Iterable[str],
        options: RunOptions,
        *,
        kept: bool = True,
    ) -> None:
        """Tell that a run starts, or goes on: the first words of every process that works on it."""
        options_json = options.to_json()
        self.emit(
            kind,
            kept=kept,
            pipeline=record.pipeline,
            file=record.file,
            parameters=encode(record.parameters),
            stages=list(stages),
            workers=options.workers,
            start=options.start,
            **{key: options_json[key] for key in ("name", "note", "group") if key in options_json},
        )

    def tell_end(self, record: RunRecord, status: RunStatus, *, kept: bool = True) -> None:
        """Tell that a run, or a process's part of it, has ended: the last words."""
        counts = Counter(stage.status.value for stage in record.stages.values())
        seconds = round(record.seconds, 3)
        self.emit(
            EventKind.RUN_FINISHED,
            kept=kept,
            status=status.value,
            seconds=seconds,
            counts=dict(counts),
        )

    def _scrubbed(self, key: str, value: Any) -> Any:
        """What notebooks and people have said; states, ids and paths are mlkit's own."""
        if key == "parameters":
            return {name: self.scrubber.value(item, keys=True) for name, item in value.items()}
        return self.scrubber.value(value) if key in _SAID else value

    def _tell(self, observer: Observer, event: Event) -> None:
        try:
            observer(event)
        except Exception as error:  # noqa: BLE001 - an observer never steers, so it cannot fail a run
            self.observers.remove(observer)
            with contextlib.suppress(OSError, ValueError):  # nor does a terminal that is gone
                print(  # noqa: T201 - the only way left to say it
                    f"mlkit: an observer failed and is told no more: {error!r}", file=sys.stderr
                )

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
