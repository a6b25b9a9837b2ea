"""What the parts of the driver share during one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mlkit.core.configuration import Configuration
from mlkit.core.events import EventKind
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.scrubbing import Scrubber
from mlkit.core.states import RunStatus
from mlkit.driver.clock import Clock
from mlkit.driver.executors import AttemptExecutor
from mlkit.driver.journal import Journal
from mlkit.driver.machinery import Machinery
from mlkit.driver.notify import Notifier
from mlkit.driver.options import RunOptions
from mlkit.driver.publishing import Publisher
from mlkit.driver.state import RunState
from mlkit.notebook.execution import Cancellation
from mlkit.planner.deciding import Planner
from mlkit.store.artifacts import ArtifactStore
from mlkit.store.database import Database
from mlkit.store.folder import RunFolder, RunsFolder
from mlkit.store.writing import write_json

__all__ = ["Context"]

_WRITE_EVERY_S = 2.0


@dataclass(kw_only=True)
class Context:
    """Everything that one run works with; only its record and warnings change.

    Parameters
    ----------
    machinery : Machinery
        Kernels and workers; started when the first attempt needs them, so that a run in which
        nothing changed starts no kernel and imports no Papermill.
    waited : bool
        Whether an engine has waited already for the file of a sensor.
    attempts : AttemptExecutor
        Where attempts run.
    publisher : Publisher, optional
        Sends what ends to where other machines find it.
    """

    pipeline: Pipeline
    configuration: Configuration
    options: RunOptions
    runs: RunsFolder
    folder: RunFolder
    database: Database
    store: ArtifactStore
    planner: Planner
    journal: Journal
    clock: Clock
    scrubber: Scrubber
    state: RunState
    notifier: Notifier
    cancellation: Cancellation
    machinery: Machinery
    attempts: AttemptExecutor
    environment: Mapping[str, str]
    record: RunRecord
    previous: Mapping[str, Any] = field(default_factory=dict)
    waited: bool = False
    publisher: Publisher | None = None
    warnings: list[str] = field(default_factory=list)
    _written: float = float("-inf")

    def warn(self, message: str, stage: str | None = None) -> None:
        """Say something that does not fail the run but that people should know."""
        text = self.scrubber.text(message)
        if text not in self.warnings:
            self.warnings.append(text)
            self.journal.emit(EventKind.WARNING, stage, message=text)

    @property
    def joins(self) -> bool:
        """Whether other processes work on the same run."""
        return self.options.run_id is not None

    def snapshot(self, status: RunStatus | None = None, ended: float | None = None) -> RunRecord:
        """The run's record as it stands."""
        return replace(
            self.record,
            status=status or self.record.status,
            ended=ended,
            stages=self.state.own_records(),
            warnings=tuple(dict.fromkeys([*self.record.warnings, *self.warnings])),
        )

    def write_record(self, record: RunRecord | None = None) -> None:
        """Write run.json: at once for a given record, otherwise every few seconds.

        A run that others work on too is written as a whole only, when a stage of it has ended.
        """
        now = self.clock.monotonic()
        if record is None and self.joins:
            return
        if record is None and now - self._written < _WRITE_EVERY_S:
            return
        self._written = now
        kept = self.scrubber.record(record or self.snapshot())
        write_json(kept.to_full_json(), self.folder.record)
