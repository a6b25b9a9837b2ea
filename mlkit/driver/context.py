"""What the parts of the driver share during one run."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlkit.core.configuration import Configuration
from mlkit.core.events import EventKind
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.scrubbing import Scrubber
from mlkit.core.states import RunStatus
from mlkit.driver.clock import Clock
from mlkit.driver.journal import Journal
from mlkit.driver.machinery import Machinery
from mlkit.driver.notify import Notifier
from mlkit.driver.options import RunOptions
from mlkit.driver.state import RunState
from mlkit.notebook.execution import Cancellation
from mlkit.planner.deciding import Planner
from mlkit.store.artifacts import ArtifactStore
from mlkit.store.database import Database
from mlkit.store.folder import RunFolder, RunsFolder, readable_os_errors

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
    environment: Mapping[str, str]
    record: RunRecord
    previous: Mapping[str, Any] = field(default_factory=dict)
    waited: bool = False
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
        document = self.scrubber.value((record or self.snapshot()).to_full_json())
        write_json(document, self.folder.record)


def write_json(document: Any, path: Path) -> None:
    """Write a JSON document in one piece: aside, then renamed."""
    aside = path.with_name(f".{path.name}-{secrets.token_hex(4)}.part")
    with readable_os_errors(path.parent):
        try:
            aside.write_text(
                json.dumps(document, ensure_ascii=False, indent=1) + "\n",
                encoding="utf-8",
                errors="backslashreplace",
            )
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
