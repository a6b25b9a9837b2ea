"""Watches what the runs of a sweep log, and stops those that are hopeless."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from mlkit.core.early_stopping import Curve, StopRule
from mlkit.core.events import Event, EventKind
from mlkit.core.record import RunRecord
from mlkit.driver.logged import LOGGED, read_logged
from mlkit.notebook.notebook_runner import Cancellation
from mlkit.store.folder import RunsFolder

__all__ = ["Watches"]

LOOK_EVERY_S = 0.25
"""How often the file is looked at to which a stage logs."""

_ATTEMPTS = "attempts"


class Watches:
    """The curves of all runs of a sweep, those under way included.

    Parameters
    ----------
    rule : StopRule
        When a run is hopeless.
    runs : RunsFolder
        Where they stand.
    stages : collection of str
        The names of the pipeline's stages.
    """

    def __init__(self, rule: StopRule, runs: RunsFolder, stages: Collection[str]) -> None:
        self.rule = rule
        self._runs = runs
        self._stages = stages
        self._lock = threading.Lock()
        self._curves: dict[int, dict[str, Curve]] = {}

    def learn(self, number: int, record: RunRecord) -> None:
        """Take in what a run has logged that has ended, or was broken off."""
        found = {
            item.id: item.curves[name]
            for item in record.stages.values()
            for name in [self._metric_of(item.id)]
            if name is not None and name in item.curves
        }
        with self._lock:
            self._curves[number] = {**self._curves.get(number, {}), **found}

    def last_point(self, number: int) -> tuple[float, float] | None:
        """The last step and value of a run."""
        with self._lock:
            points = [curve[-1] for curve in self._curves.get(number, {}).values() if curve]
        return max(points, default=None)

    @contextlib.contextmanager
    def watching(self, number: int, cancellation: Cancellation) -> Iterator[_Watch]:
        """Watch one run while it goes on; gives what is to be told of its events."""
        watch = _Watch(self, number, cancellation)
        thread = threading.Thread(target=watch.look, name="mlkit-early-stop", daemon=True)
        thread.start()
        try:
            yield watch
        finally:
            watch.ended.set()
            thread.join()

    def file(self, event: Event) -> Path | None:
        """Where an attempt that begins is going to log; None if the rule is not about it."""
        if event.stage is None or self._metric_of(event.stage) is None:
            return None
        attempts = self._runs.run(event.run_id).staging(event.stage) / _ATTEMPTS
        return attempts / str(event.attempt) / LOGGED

    def judge(self, number: int, files: Mapping[str, Path]) -> str | None:
        """Say why a run is to be stopped, if it is."""
        for stage, file in files.items():
            name = self._metric_of(stage)
            curve: Curve = read_logged(file).curves.get(name or "", ())
            if not curve:
                continue
            with self._lock:
                self._curves.setdefault(number, {})[stage] = curve
                others = [c.get(stage, ()) for n, c in self._curves.items() if n != number]
            why = self.rule.judge(curve, others)
            if why is not None:
                return why
        return None

    def _metric_of(self, stage: str) -> str | None:
        """What the rule calls the metric within a stage or instance; None if it means another."""
        metric, bare = self.rule.metric, stage.partition("[")[0]
        for prefix in (f"{stage}.", f"{bare}."):
            if metric.startswith(prefix):
                return metric.removeprefix(prefix)
        return None if metric.partition(".")[0].partition("[")[0] in self._stages else metric


class _Watch:
    """One run that is watched: an observer of its events, and a thread that looks."""

    def __init__(self, watches: Watches, number: int, cancellation: Cancellation) -> None:
        self.ended = threading.Event()
        self.why = ""
        self._watches = watches
        self._number = number
        self._cancellation = cancellation
        self._files: dict[str, Path] = {}

    def __call__(self, event: Event) -> None:
        """Take in what happens in the run."""
        if event.kind is EventKind.ATTEMPT_STARTED and event.stage is not None:
            file = self._watches.file(event)
            if file is not None:
                self._files = {**self._files, event.stage: file}

    def look(self) -> None:
        """Look until the run has ended, or is to be stopped."""
        while not self.ended.wait(LOOK_EVERY_S):
            why = self._watches.judge(self._number, self._files)
            if why is not None:
                self.why = why
                self._cancellation.request(why)
                return
