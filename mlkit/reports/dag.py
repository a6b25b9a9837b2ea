"""What a picture of a pipeline shows: boxes and arrows, before anything is drawn."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum

from mlkit.core.graph import topological_order
from mlkit.core.instances import written
from mlkit.core.pipeline import Condition, Foreach, Node, Pipeline, Stage
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import FINISHED, SUCCESSFUL, Status
from mlkit.core.values import label
from mlkit.frozen import dataclass
from mlkit.observe.signs import SIGNS

__all__ = ["Box", "Dag", "EdgeKind", "Link", "combined", "dag_of_pipeline", "dag_of_record"]

_WORST_FIRST = (
    Status.FAILED,
    Status.CANCELLED,
    Status.UPSTREAM_FAILED,
    Status.RUNNING,
    Status.WAITING,
)


class EdgeKind(StrEnum):
    """Why one stage comes before another."""

    DATA = "data"
    CONDITION = "condition"
    ORDER = "order"
    BACK = "back"
    """Leads back to where one came from: only in graphs that are no DAGs."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """One stage in the picture.

    Parameters
    ----------
    name : str
        The stage.
    note : str
        What is said below its name, such as `for each model`.
    seconds : float, optional
        How long it took, from the start of its first instance to the end of its last.
    status : Status, optional
        Its state; of a mapped stage the state of its instances together.
    instances : tuple of (str, Status or None)
        The values of a mapped stage, each with its state.
    mapped : bool
        Whether it is a mapped stage (whose values may not be known yet).
    tone : str
        `critical`, `cycle`, `run`, `reuse` or `unknown` sets it off; a word in `note` says so.
    """

    name: str
    note: str = ""
    seconds: float | None = None
    status: Status | None = None
    instances: tuple[tuple[str, Status | None], ...] = ()
    mapped: bool = False
    tone: str = ""

    def shown(self, most: int) -> tuple[tuple[str, Status | None], ...]:
        """Choose at most so many instances to show; those that failed come first."""
        if len(self.instances) <= most:
            return self.instances
        bad = (Status.FAILED, Status.CANCELLED, Status.UPSTREAM_FAILED)
        rank = {status: place for place, status in enumerate(bad)}
        return tuple(
            sorted(self.instances, key=lambda pair: rank.get(pair[1] or Status.WAITING, len(bad)))
        )[:most]

    def folded(self) -> Box:
        """Count the instances instead of listing them."""
        if not self.instances:
            return self
        seen = Counter(status for _, status in self.instances)
        told = [f"{SIGNS[status].glyph} {seen[status]}" for status in Status if seen[status]]
        told += [f"{seen[None]} values"] if seen[None] else []
        note = f"{self.note}: {' · '.join(told)}" if self.note else " · ".join(told)
        return replace(self, instances=(), note=note)


@dataclass(frozen=True, kw_only=True)
class Link:
    """One arrow: `target` comes after `source`; `tone` as of a box.

    Of two maps that are chained, `chain` names the parameters that both have: each instance comes
    after its own.
    """

    source: str
    target: str
    kind: EdgeKind = EdgeKind.DATA
    label: str = ""
    tone: str = ""
    chain: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Dag:
    """The picture's content: boxes in topological order, and arrows."""

    title: str
    boxes: tuple[Box, ...]
    links: tuple[Link, ...]

    def folded(self) -> Dag:
        """Give the same picture with each map's values counted, by their states, not listed."""
        return replace(self, boxes=tuple(box.folded() for box in self.boxes))

    def describe(self) -> str:
        """Say the picture in words, for those who do not see it."""
        upstream: dict[str, list[str]] = {box.name: [] for box in self.boxes}
        for link in self.links:
            upstream[link.target].append(
                f"{link.source} ({link.label})" if link.label else link.source
            )
        return " ".join(_sentence(box, upstream[box.name]) for box in self.boxes)


def _sentence(box: Box, upstream: list[str]) -> str:
    state = f" {SIGNS[box.status].word}" if box.status is not None else ""
    many = f" with {len(box.instances)} instances" if box.mapped and box.instances else ""
    after = f" after {', '.join(upstream)}" if upstream else " starts the pipeline"
    return f"{box.name}{many}{state}{',' if state else ''}{after}."


def combined(statuses: Iterable[Status]) -> Status | None:
    """Give the one state that stands for several: the worst, or success if all succeeded."""
    seen = Counter(statuses)
    if not seen:
        return None
    worst = next((status for status in _WORST_FIRST if seen[status]), None)
    if worst is Status.WAITING and any(seen[status] for status in FINISHED):
        return Status.RUNNING
    if worst is not None:
        return worst
    if set(seen) == {Status.CACHED}:
        return Status.CACHED
    return Status.SUCCEEDED if any(seen[s] for s in SUCCESSFUL) else Status.SKIPPED


def dag_of_pipeline(pipeline: Pipeline, record: RunRecord | None = None) -> Dag:
    """Make the picture of a pipeline, with the states of a run if there is one.

    Parameters
    ----------
    pipeline : Pipeline
        The stages, their order and their conditions.
    record : RunRecord, optional
        The run whose states are shown; stages that it did not select bear none.
    """
    links = [link for stage in pipeline.stages.values() for link in _links(stage)]
    grouped = _by_stage(record) if record is not None else {}
    boxes = {
        name: _box(name, stage.foreach, grouped.get(name, ()))
        for name, stage in pipeline.stages.items()
    }
    return _sorted(f"Pipeline {pipeline.name}", boxes, links)


def dag_of_record(record: RunRecord) -> Dag:
    """Make the picture of a run from its record alone; conditions are not known there."""
    grouped = _by_stage(record)
    owner = {item.id: item.stage for item in record.stages.values()}
    names = list(dict.fromkeys([owner.get(key, key) for key in record.edges] + list(grouped)))
    boxes = {name: _box(name, None, grouped.get(name, ())) for name in names}
    pairs = dict.fromkeys(
        (owner.get(source, source), owner.get(target, target))
        for target, upstream in record.edges.items()
        for source in upstream
    )
    links = [Link(source=s, target=t) for s, t in pairs if s in boxes and t in boxes and s != t]
    return _sorted(f"Run {record.run_id} of {record.pipeline}", boxes, links)


def _sorted(title: str, boxes: Mapping[str, Box], links: list[Link]) -> Dag:
    graph = {name: [link.source for link in links if link.target == name] for name in boxes}
    order = topological_order(graph)
    return Dag(title=title, boxes=tuple(boxes[name] for name in order), links=tuple(links))


def _by_stage(record: RunRecord) -> dict[str, list[StageRecord]]:
    grouped: dict[str, list[StageRecord]] = {}
    for item in record.stages.values():
        grouped.setdefault(item.stage, []).append(item)
    return grouped


def _box(name: str, foreach: Foreach | None, items: Iterable[StageRecord]) -> Box:
    found = list(items)
    prefix = f"{name}["
    instances = tuple((i.id[len(prefix) : -1], i.status) for i in found if i.id.startswith(prefix))
    values: tuple[tuple[str, Status | None], ...] = instances
    if not found and foreach is not None and foreach.size:
        axes = [map(written, axis.values or ()) for axis in foreach.axes]
        values = tuple((",".join(labels), None) for labels in itertools.product(*axes))
    status = combined(item.status for item in found)
    return Box(
        name=name,
        note="" if foreach is None else f"for each {' and '.join(foreach.parameters)}",
        seconds=_span(found) if status in FINISHED else None,
        status=status,
        instances=values,
        mapped=foreach is not None or bool(instances),
    )


def _span(items: Iterable[StageRecord]) -> float | None:
    times = [(i.started, i.ended) for i in items if i.history]
    starts = [start for start, _ in times if start is not None]
    ends = [end for _, end in times if end is not None]
    return max(0.0, max(ends) - min(starts)) if starts and ends else None


def _links(stage: Stage) -> list[Link]:
    """One arrow for each upstream stage: a condition says more than data, data more than order."""
    return [_link(stage, name) for name in dict.fromkeys(node.stage for node in stage.upstream)]


def _link(stage: Stage, source: str) -> Link:
    conditions = [c for c in stage.when if c.source.node.stage == source]
    if conditions:
        text = " and ".join(map(_condition, conditions))
        return Link(source=source, target=stage.name, kind=EdgeKind.CONDITION, label=text)
    nodes = [node for node in stage.upstream if node.stage == source]
    is_data = any(node in stage.data_upstream for node in nodes)
    chain = _chain(nodes)
    return Link(
        source=source,
        target=stage.name,
        kind=EdgeKind.DATA if is_data else EdgeKind.ORDER,
        label=f"each its own {' and '.join(chain)}" if chain else _which(stage, nodes),
        chain=chain,
    )


def _chain(nodes: list[Node]) -> tuple[str, ...]:
    """The parameters by which every reference to a stage means the reader's own instance."""
    if not all(node.is_chained for node in nodes):
        return ()
    return tuple(dict.fromkeys(p.parameter for n in nodes for p in n.picks if p.value is None))


def _condition(condition: Condition) -> str:
    values = " or ".join(
        repr(value) if isinstance(value, list | dict) else label(value)
        for value in condition.values
    )
    return f"{condition.source.output} = {values}"


def _which(stage: Stage, nodes: list[Node]) -> str:
    """Name the instances, if only some of a mapped stage are meant; or what `foreach` goes over."""
    if nodes and all(node.value is not None for node in nodes):
        return ", ".join(f"[{node.value}]" for node in nodes)
    sources = () if stage.foreach is None else stage.foreach.sources
    listed = [source.output for source in sources if source.node in nodes]
    return f"one for each of {' and '.join(listed)}" if listed else ""
