"""The state of a run in memory: every stage, its instances, and how far they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

from mlkit.core.graph import edges, topological_order
from mlkit.core.instances import Table
from mlkit.core.instances import instance_id as id_of
from mlkit.core.pipeline import Instance, Node, Pipeline, gives_list
from mlkit.core.record import ArtifactRecord, AttemptRecord, Places, StageRecord
from mlkit.core.states import FINISHED, RunStatus, Status
from mlkit.core.triggers import Tally
from mlkit.driver.selecting import Selection
from mlkit.frozen import replace
from mlkit.planner.mapping import instances_of

__all__ = ["RunState"]

_Counts = dict[tuple[str, ...], Counter[Status]]


class RunState:
    """Records of the selected stages, and of stages whose artifacts are given from elsewhere.

    Of a map of thousands every question has its answer ready: instances stand in tables that find
    them by their values, and their states are counted as they change.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    selection : Selection
        The stages, or instances of them, that this run is to end.
    given : mapping of str to StageRecord
        Finished records of other stages, by instance id.
    histories : mapping of str to tuple of AttemptRecord
        The attempts that instances of this run have had already.
    engine_task : str, optional
        The task as which an engine runs the selected stages.
    rounds : mapping of str to int
        The engine's rounds in which instances of this run have ended well.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        selection: Selection,
        given: Mapping[str, StageRecord] | None = None,
        histories: Mapping[str, tuple[AttemptRecord, ...]] | None = None,
        engine_task: str | None = None,
        rounds: Mapping[str, int] | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.selection = selection
        self._histories = histories or {}
        self._engine_task = engine_task
        self._rounds = rounds or {}
        self._ranks: dict[str, int] = {}
        self.graph = edges(pipeline)
        self.own = set(selection.stages)
        self.order = [name for name in topological_order(self.graph) if name in self.own]
        self._places = Places(pipeline.stages)
        self.instances: dict[str, dict[str, Instance] | None] = {}
        self.records: dict[str, StageRecord] = {}
        self.tables: dict[str, Table] = {}
        self._counts: dict[str, dict[tuple[int, ...], _Counts]] = {}
        ids: dict[str, list[str]] = {}
        for item in (given or {}).values():
            ids.setdefault(item.stage, []).append(item.id)
            self.records[item.id] = item
        for name in pipeline.stages:
            self._lay(name, ids.get(name, []))
        for name in pipeline.stages:
            if name in self.own:
                self._open(name)
        self.downstream: dict[str, list[str]] = {name: [] for name in pipeline.stages}
        for name in self.order:
            for upstream in self.graph[name]:
                self.downstream[upstream].append(name)

    def _open(self, name: str) -> None:
        """Make the instances of a stage whose values are known, or its one entry."""
        stage = self.pipeline.stages[name]
        self.instances[name] = None
        if stage.foreach is None:
            self.expand(name, [Instance(stage=stage)])
        elif stage.foreach.size:
            self.expand(name, instances_of(stage, lambda *_: None))
        if self.instances[name] is None:
            self._fill(name, [name])

    def _lay(self, name: str, ids: Sequence[str]) -> None:
        foreach = self.pipeline.stages[name].foreach
        self.tables[name] = Table(name, () if foreach is None else foreach.parameters, ids)
        self._counts[name] = {}

    def _fill(self, name: str, ids: Sequence[str]) -> None:
        """Give a stage new entries in the place of those that it had."""
        for old in self.tables[name].ids:
            del self.records[old]
        critical = self.pipeline.stages[name].critical
        for instance_id in ids:
            self.records[instance_id] = StageRecord(
                id=instance_id,
                stage=name,
                status=Status.WAITING,
                critical=critical,
                history=self._histories.get(instance_id, ()),
                engine_task=self._engine_task,
                engine_round=self._rounds.get(instance_id, 1),
            )
        self._lay(name, ids)

    def expand(self, name: str, instances: Sequence[Instance]) -> bool:
        """Replace a stage's one entry by its instances; whether any of them is asked for."""
        self._ranks.update({instance.id: rank for rank, instance in enumerate(instances)})
        chosen = {i.id: i for i in instances if self.selection.has(name, i.labels)}
        if chosen:
            self.instances[name] = chosen
            self._fill(name, list(chosen))
        return bool(chosen)

    def place(self, instance_id: str) -> int:
        """Where an instance stands in the record: stages as in the file, values as in the list."""
        stage = self.records[instance_id].stage
        return self._places.entry(stage, self._ranks.get(instance_id, 0))

    def turn(self, instance_id: str) -> tuple[int, ...]:
        """When an instance has its turn among those that are ready: earlier stages first.

        Of maps that are chained, each value goes through to the end before the next one begins:
        otherwise the first results would come only when the first stage has run for all values.
        """
        stage = self.pipeline.stages[self.records[instance_id].stage]
        rank = self._ranks.get(instance_id, 0)
        own = self.tables[stage.name].own(instance_id)
        for node in stage.upstream if own else ():
            if node.is_chained and node.stage in self.own:
                found = self.tables[node.stage].matching(node.wanted(own))
                if found and found[0] != node.stage:
                    return (*self.turn(found[0]), self._places.stage(stage.name), rank)
        return (self._places.stage(stage.name), rank)

    def put(self, record: StageRecord) -> None:
        """Keep the new state of an instance."""
        before = self.records[record.id].status
        self.records[record.id] = record
        if before is record.status:
            return
        for places, counts in self._counts[record.stage].items():
            labels = self.tables[record.stage].labels(record.id) if places else ()
            key = tuple(labels[place] for place in places if labels)
            counts[key][before] -= 1
            counts[key][record.status] += 1

    def change(self, instance_id: str, **fields: Any) -> StageRecord:
        """Change some fields of an instance's record."""
        record = replace(self.records[instance_id], **fields)
        self.put(record)
        return record

    def is_waiting(self, name: str) -> bool:
        """Whether an entry of a stage still waits for its turn."""
        return self._counted(name, {})[Status.WAITING] > 0

    def waiting(self, name: str) -> list[str]:
        """The entries of a stage that still wait for their turn."""
        if not self.is_waiting(name):
            return []
        return [i for i in self.tables[name].ids if self.records[i].status is Status.WAITING]

    def at(self, node: Node, own: Mapping[str, str]) -> list[StageRecord]:
        """The records that a reference means for a stage, or an instance with some values."""
        found = self.tables[node.stage].matching(node.wanted(own))
        return [self.records[instance_id] for instance_id in found]

    def named(self, node: Node, own: Mapping[str, str]) -> str:
        """A reference as it means one instance, where it does; otherwise as it is written."""
        foreach, wanted = self.pipeline.stages[node.stage].foreach, node.wanted(own)
        if foreach is None or not node.is_chained or len(wanted) < len(foreach.axes):
            return str(node)
        return id_of(node.stage, [wanted[name] for name in foreach.parameters])

    def tally(self, nodes: Iterable[Node], own: Mapping[str, str]) -> Tally:
        """How many states of each kind there are behind some references."""
        tallies = [Tally.of(self._counted(n.stage, n.wanted(own))) for n in nodes]
        return reduce(add, tallies) if tallies else Tally()

    def _counted(self, name: str, wanted: Mapping[str, str]) -> Counter[Status]:
        table = self.tables[name]
        places, key = ((), ()) if table.is_one else table.key(wanted)
        kinds = self._counts[name]
        if places not in kinds:
            counts: _Counts = {}
            for instance_id in table.ids:
                labels = table.labels(instance_id) if places else ()
                if places and not labels:
                    continue
                chosen = tuple(labels[place] for place in places)
                counts.setdefault(chosen, Counter())[self.records[instance_id].status] += 1
            kinds[places] = counts
        return kinds[places].setdefault(key, Counter())

    def made(
        self, node: Node, output: str, own: Mapping[str, str]
    ) -> list[tuple[str, ArtifactRecord | None]]:
        """The artifacts of an output, one for each instance, after the instance's id."""
        return [(record.id, record.artifacts.get(output)) for record in self.at(node, own)]

    def find(self, node: Node, output: str) -> Path | None:
        """The file of an upstream output that is not mapped; None if it was not made."""
        made = [item for _, item in self.made(node, output, {}) if item is not None]
        return Path(made[0].path) if made else None

    def gives_list(self, node: Node) -> bool:
        """Whether a reference means a list."""
        return gives_list(node, self.pipeline.stages)

    def own_records(self) -> dict[str, StageRecord]:
        """The records of this run's own stages, in the order of the file."""
        return {
            i: self.records[i]
            for name in self.pipeline.stages
            if name in self.own
            for i in self.tables[name].ids
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
