"""What a run writes down of itself while it goes on: states, record, log, warnings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from mlkit.core.events import EventKind
from mlkit.core.graph import edges
from mlkit.core.latest_rule import differing
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.scrubbing import Scrubber
from mlkit.core.states import RunStatus
from mlkit.driver.clock import Clock
from mlkit.driver.journal import Journal
from mlkit.driver.order import Order
from mlkit.driver.publishing import Publisher
from mlkit.driver.state import RunState
from mlkit.store.database import Database
from mlkit.store.folder import RunFolder
from mlkit.store.writing import write_json

__all__ = ["Book", "new_record"]

_WRITE_EVERY_S = 2.0
_SAVE_WITHIN_S = 0.1
_MOST_OF_THE_TIME = 0.05
"""The share of a run's time that may go into writing its record: that of thousands takes long."""


@dataclass(kw_only=True)
class Book:
    """The account of one run, kept by the driver's own thread.

    Parameters
    ----------
    order : Order
        What is asked for.
    record : RunRecord
        The run as it began, or as it was when it was resumed.
    state : RunState
        How far every instance is.
    folder : RunFolder
        The run's folder.
    database : Database
        Where records stand.
    journal : Journal
        The event log, and everybody who listens to it.
    publisher : Publisher, optional
        Sends what ends to where other machines find it.
    """

    order: Order
    record: RunRecord
    state: RunState
    folder: RunFolder
    database: Database
    journal: Journal
    publisher: Publisher | None
    warnings: list[str] = field(default_factory=list)
    _said: set[str] = field(default_factory=set)
    _next_write: float = float("-inf")
    _unsaved: dict[str, StageRecord] = field(default_factory=dict)
    _save_by: float = 0.0

    @property
    def joins(self) -> bool:
        """Whether other processes work on the same run."""
        return self.order.joins

    @property
    def clock(self) -> Clock:
        """Dates what is written down."""
        return self.order.services.clock

    @property
    def scrubber(self) -> Scrubber:
        """What must not appear."""
        return self.order.scrubber

    def warn(self, message: str, stage: str | None = None) -> None:
        """Say something that does not fail the run but that people should know."""
        text = self.scrubber.text(message)
        if text not in self._said:
            self._said.add(text)
            self.warnings.append(text)
            self.journal.emit(EventKind.WARNING, stage, message=text)

    def save(self, stage: StageRecord, *, soon: bool = False) -> None:
        """Keep an instance's record in the database.

        Parameters
        ----------
        stage : StageRecord
            The record.
        soon : bool
            Whether it may wait a moment for others, to be written together with them: to reuse a
            stage takes less time than a transaction. The loop calls `save_waiting` before anything
            is executed.
        """
        self._unsaved[stage.id] = stage
        if not self._save_by:
            self._save_by = self.clock.monotonic() + _SAVE_WITHIN_S
        if not soon or self.joins or self.clock.monotonic() >= self._save_by:
            self.save_waiting()

    def save_waiting(self) -> None:
        """Write the records that have been waiting."""
        waiting, self._unsaved, self._save_by = self._unsaved, {}, 0.0
        if waiting:
            places = {stage.id: self.state.place(stage.id) for stage in waiting.values()}
            self.database.save_stages(self.record.run_id, waiting.values(), places)

    def attempt_begins(self, stage: StageRecord) -> None:
        """Keep that an attempt is under way, so that it is known to be lost if no more is heard."""
        self.save(stage)
        if self.publisher is not None:
            self.publisher.attempt_begins(stage, self)

    def snapshot(self, status: RunStatus | None = None, ended: float | None = None) -> RunRecord:
        """The run's record as it stands."""
        return replace(
            self.record,
            status=status or self.record.status,
            ended=ended,
            stages=self.state.own_records(),
            warnings=tuple(dict.fromkeys([*self.record.warnings, *self.warnings])),
        )

    def write_now_and_then(self) -> None:
        """Write run.json if it was not written in the last seconds.

        The longer it takes, the more seldom it is written.

        A run that others work on too is written as a whole only, when a stage of it has ended.
        """
        if not self.joins and self.clock.monotonic() >= self._next_write:
            self.write(self.snapshot())

    def write(self, record: RunRecord) -> None:
        """Write run.json."""
        began = self.clock.monotonic()
        write_json(self.scrubber.record(record).to_full_json(), self.folder.record)
        ended = self.clock.monotonic()
        self._next_write = ended + max(_WRITE_EVERY_S, (ended - began) / _MOST_OF_THE_TIME)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others who work on the same run from writing its record at the same time."""
        with self.folder.settling() if self.joins else contextlib.nullcontext():
            yield


def new_record(order: Order, folder: RunFolder, engine: Mapping[str, str] | None) -> RunRecord:
    """The record of a run that begins, without any stage.

    Parameters
    ----------
    order : Order
        What is asked for.
    folder : RunFolder
        The run's folder.
    engine : mapping of str to str, optional
        The engine that runs it, with its own name for the run.
    """
    stages = order.pipeline.stages.values()
    metrics = {stage.name: dict(stage.metrics) for stage in stages if stage.metrics}
    own = differing(order.pipeline, order.configuration.overrides)
    kernels = {stage.name: stage.kernel.name for stage in stages if stage.kernel is not None}
    env = {
        stage: {name: str(bound.public) for name, bound in values.items()}
        for stage, values in order.configuration.env.items()
        if values
    }
    return RunRecord(
        run_id=folder.path.name,
        pipeline=order.pipeline.name,
        file=str(order.pipeline.file),
        runs_dir=str(folder.path.parent),
        status=RunStatus.RUNNING,
        started=order.services.clock.now(),
        parameters=order.configuration.shown(),
        options={
            **order.options.to_json(),
            "overrides": order.configuration.overrides,
            **({"differing": own} if own != list(order.configuration.overrides) else {}),
            "parameter_sources": order.configuration.sources(),
            **({"metrics": metrics} if metrics else {}),
            **({"kernels": kernels} if kernels else {}),
            **({"env": env} if env else {}),
        },
        edges=edges(order.pipeline),
        engine=engine,
    )
