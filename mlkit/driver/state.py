"""The state of a run in memory: every stage, its instances, and how far they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlkit.core.graph import edges, topological_order
from mlkit.core.pipeline import Instance, Node, Pipeline
from mlkit.core.record import ArtifactRecord, AttemptRecord, StageRecord
from mlkit.core.states import FINISHED, RunStatus, Status
from mlkit.store.database import INSTANCES_PER_STAGE

__all__ = ["INSTANCES_PER_STAGE", "RunState"]


class RunState:
    """Records of the selected stages, and of stages whose artifacts are given from elsewhere.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    selected : iterable of str
        The stages that this run is to end.
    given : mapping of str to StageRecord
        Finished records of other stages, by instance id.
    wanted : str, optional
        Of a mapped stage: the one instance that is to be run.
    histories : mapping of str to tuple of AttemptRecord
        The attempts that instances of this run have had already.
    engine_task : str, optional
        The task as which an engine runs the selected stages.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        selected: Iterable[str],
        given: Mapping[str, StageRecord] | None = None,
        wanted: str | None = None,
        histories: Mapping[str, tuple[AttemptRecord, ...]] | None = None,
        engine_task: str | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.wanted = wanted
        self._histories = histories or {}
        self._engine_task = engine_task
        self._ranks: dict[str, int] = {}
        chosen = set(selected)
        self.graph = edges(pipeline)
        self.order = [name for name in topological_order(self.graph) if name in chosen]
        self._place = {name: i for i, name in enumerate(pipeline.stages)}
        self.instances: dict[str, list[Instance] | None] = {}
        self.records: dict[str, StageRecord] = {}
        self.ids: dict[str, list[str]] = {}
        for item in (given or {}).values():
            self.ids.setdefault(item.stage, []).append(item.id)
            self.records[item.id] = item
        self.own = set(chosen)
        for name in pipeline.stages:
            if name in chosen:
                self._open(name)
        self.downstream: dict[str, list[str]] = {name: [] for name in pipeline.stages}
        for name in self.order:
            for upstream in self.graph[name]:
                self.downstream[upstream].append(name)

    def _open(self, name: str) -> None:
        stage = self.pipeline.stages[name]
        self.instances[name] = None
        values = None if stage.foreach is None else stage.foreach.values
        if stage.foreach is None:
            self.expand(name, [Instance(stage=stage)])
        elif values:
            self.expand(name, [Instance(stage=stage, value=value) for value in values])
        else:
            self._add(name, name)

    def _add(self, stage: str, instance_id: str) -> None:
        critical = self.pipeline.stages[stage].critical
        self.ids.setdefault(stage, []).append(instance_id)
        self.records[instance_id] = StageRecord(
            id=instance_id,
            stage=stage,
            status=Status.WAITING,
            critical=critical,
            history=self._histories.get(instance_id, ()),
            engine_task=self._engine_task,
        )

    def expand(self, name: str, instances: Sequence[Instance]) -> None:
        """Replace a stage's one entry by its instances."""
        for old in self.ids.pop(name, []):
            del self.records[old]
        self._ranks.update({instance.id: rank for rank, instance in enumerate(instances)})
        chosen = [i for i in instances if self.wanted is None or i.id == self.wanted]
        self.instances[name] = chosen
        for instance in chosen:
            self._add(name, instance.id)

    def place(self, instance_id: str) -> int:
        """Where an instance stands in the record: stages as in the file, values as in the list."""
        stage = self.records[instance_id].stage
        return self._place[stage] * INSTANCES_PER_STAGE + self._ranks.get(instance_id, 0)

    def put(self, record: StageRecord) -> None:
        """Keep the new state of an instance."""
        self.records[record.id] = record

    def change(self, instance_id: str, **fields: Any) -> StageRecord:
        """Change some fields of an instance's record."""
        record = replace(self.records[instance_id], **fields)
        self.records[instance_id] = record
        return record

    def at(self, node: Node) -> list[StageRecord]:
        """The records that a reference means: all instances, or one."""
        records = [self.records[i] for i in self.ids.get(node.stage, ())]
        if node.value is None:
            return records
        wanted = str(node)
        exact = [record for record in records if record.id == wanted]
        return exact or [record for record in records if record.id == node.stage]

    def statuses(self, nodes: Iterable[Node]) -> list[Status]:
        """The states behind some references."""
        return [record.status for node in nodes for record in self.at(node)]

    def are_done(self, nodes: Iterable[Node]) -> bool:
        """Whether everything behind some references has finished."""
        return all(status in FINISHED for status in self.statuses(nodes))

    def made(self, node: Node, output: str) -> list[tuple[str, ArtifactRecord | None]]:
        """The artifacts of an output, one for each instance, after the instance's id."""
        return [(record.id, record.artifacts.get(output)) for record in self.at(node)]

    def find(self, node: Node, output: str) -> Path | None:
        """The file of an upstream output; None if it was not made."""
        made = [item for _, item in self.made(node, output) if item is not None]
        return Path(made[0].path) if made else None

    def is_mapped(self, name: str) -> bool:
        """Whether a stage is mapped."""
        return self.pipeline.stages[name].foreach is not None

    def is_open(self, name: str) -> bool:
        """Whether a stage of this run has an instance that still waits for its turn."""
        return any(self.records[i].status is Status.WAITING for i in self.ids[name])

    def own_records(self) -> dict[str, StageRecord]:
        """The records of this run's own stages, in the order of the file."""
        return {
            i: self.records[i]
            for name in self.pipeline.stages
            if name in self.own
            for i in self.ids[name]
        }

    def is_finished(self) -> bool:
        """Whether every stage of this run has finished."""
        return all(record.status in FINISHED for record in self.own_records().values())

    def verdict(self) -> RunStatus:
        """The status of a run whose stages have all finished."""
        records = self.own_records().values()
        if any(r.status is Status.FAILED and r.critical for r in records):
            return RunStatus.FAILED
        if any(record.status is Status.CANCELLED for record in records):
            return RunStatus.CANCELLED
        return RunStatus.SUCCEEDED
