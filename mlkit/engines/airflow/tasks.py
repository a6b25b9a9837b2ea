"""The tasks of a DAG and what each waits for, worked out from the stages. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Literal

from mlkit.core.graph import edges, topological_order
from mlkit.core.pipeline import Pipeline, Stage
from mlkit.core.triggers import TriggerRule
from mlkit.engines.questions import EARLY, together
from mlkit.engines.unrolling import Unrolled
from mlkit.frozen import dataclass

__all__ = ["Branch", "Task", "branches_of", "shares_branch", "task_ids", "tasks_of"]

Kind = Literal["stage", "branch", "sensor", "values", "gate", "verdict"]

_LONGEST = 100
"""So much of a value stands in an id; Airflow takes 250 characters, and others stand around it."""

_TOLERANT = frozenset(TriggerRule) - {
    TriggerRule.ALL_SUCCESS,
    TriggerRule.NONE_FAILED,
    TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
}
"""Rules that let a stage succeed behind one that failed: Airflow would then call the run a success
if it looked at its last tasks alone."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task of the DAG.

    Parameters
    ----------
    id : str
        Its name in Airflow; a stage's task bears the stage's name, and one for an instance alone
        stands in a group of that name.
    kind : str
        What it is.
    upstream : tuple of str
        The tasks that it waits for.
    rule : TriggerRule
        Which of their states let it start.
    stage : str
        The stage, or the instance, for which it is there; empty for what is there for several.
    group : str
        The group that it stands in; its id begins with that and a dot.
    loop : tuple of str
        The stages, itself among them, that one group of mapped tasks runs for each value.
    """

    id: str
    kind: Kind
    upstream: tuple[str, ...] = ()
    rule: TriggerRule = TriggerRule.ALL_SUCCESS
    stage: str = ""
    group: str = ""
    loop: tuple[str, ...] = ()

    @property
    def own_id(self) -> str:
        """Its id within its group."""
        return self.id.removeprefix(f"{self.group}.") if self.group else self.id


@dataclass(frozen=True, kw_only=True)
class Branch:
    """A task that chooses which stages follow.

    Parameters
    ----------
    id : str
        The task's name.
    stages : tuple of str
        The stages that it lets run, or has skipped.
    shared : bool
        Whether it asks for one artifact on behalf of all stages with a condition on that.
    """

    id: str
    stages: tuple[str, ...]
    shared: bool


def task_ids(whole: Unrolled) -> dict[str, str]:
    """The id of each stage's task; what stands in brackets is written as Airflow takes it."""
    found = {name: name for name in whole.pipeline.stages if name not in whole.origins}
    taken: set[str] = set()
    for name, origin in whole.origins.items():
        plain = re.sub(r"[^A-Za-z0-9-]+", "_", ",".join(origin.labels.values()))[:_LONGEST]
        wish = f"{origin.stage.name}.{plain.strip('_') or 'value'}"
        numbered = (f"{wish}_{number}" for number in itertools.count(2))
        found[name] = next(made for made in itertools.chain([wish], numbered) if made not in taken)
        taken.add(found[name])
    return found


def branches_of(pipeline: Pipeline, ids: Mapping[str, str]) -> dict[str, Branch]:
    """Give the branch of each stage that has conditions, by the stage's name.

    Stages with one condition on the same artifact and the usual trigger rule share a branch, as one
    would write it by hand.
    """
    found: dict[str, Branch] = {}
    for stage in pipeline.stages.values():
        if not stage.when:
            continue
        if shares_branch(stage):
            source = stage.when[0].source
            key = f"{ids[source.node.stage]}.{source.output}"
            group = tuple(
                s.name
                for s in pipeline.stages.values()
                if s.when and shares_branch(s) and s.when[0].source == source
            )
            found[stage.name] = Branch(id=key, stages=group, shared=True)
        else:
            name = f"{ids[stage.name]}.when"
            found[stage.name] = Branch(id=name, stages=(stage.name,), shared=False)
    return found


def shares_branch(stage: Stage) -> bool:
    """Whether a stage's condition can be asked together with those of others."""
    return len(stage.when) == 1 and stage.trigger is TriggerRule.ALL_SUCCESS


def tasks_of(whole: Unrolled) -> tuple[Task, ...]:
    """Give all tasks, each after those that it waits for, in the order of the file otherwise.

    Parameters
    ----------
    whole : Unrolled
        The pipeline; each instance that stands alone has a task of its own.
    """
    pipeline, ids = whole.pipeline, task_ids(whole)
    branches, loops = branches_of(pipeline, ids), together(pipeline)
    shared = {loop: _shared_values(pipeline, loop) for loop in loops.values()}
    tasks = {task.id: task for task in shared.values()}
    for stage in _ordered(pipeline):
        group = whole.stage_of(stage.name) if stage.name in whole.origins else ""
        loop = loops.get(stage.name, ())
        values = shared.get(loop)
        for task in _of_stage(stage, branches.get(stage.name), ids, group, values):
            tasks.setdefault(task.id, task)
    if _needs_verdict(pipeline):
        read = {name for task in tasks.values() for name in task.upstream}
        last = tuple(name for name in tasks if name not in read)
        name = "verdict" if "verdict" not in tasks else "verdict.run"
        tasks[name] = Task(id=name, kind="verdict", upstream=last, rule=TriggerRule.ALL_DONE)
    return tuple(tasks.values())


def _ordered(pipeline: Pipeline) -> Iterator[Stage]:
    for name in topological_order(edges(pipeline)):
        yield pipeline.stages[name]


def _shared_values(pipeline: Pipeline, loop: tuple[str, ...]) -> Task:
    """The task that reads the values for all stages of a loop, as soon as they are there.

    Where one of them may run although they were not made, it reads what there is: mlkit then says
    what is wrong.
    """
    stage = pipeline.stages[loop[0]]
    assert stage.foreach is not None
    above = tuple(dict.fromkeys(source.node.stage for source in stage.foreach.sources))
    runs_on = any(pipeline.stages[name].trigger in _TOLERANT for name in loop)
    return Task(
        id=f"{stage.name}.values",
        kind="values",
        upstream=above,
        rule=TriggerRule.ALL_DONE if runs_on else TriggerRule.ALL_SUCCESS,
        stage=stage.name,
        loop=loop,
    )


def _of_stage(
    stage: Stage,
    branch: Branch | None,
    ids: Mapping[str, str],
    group: str,
    values: Task | None,
) -> Iterator[Task]:
    """The tasks that lead to a stage, and the stage's own, one behind the other."""
    upstream = tuple(dict.fromkeys(ids[node.stage] for node in stage.upstream))
    data = tuple(dict.fromkeys(ids[node.stage] for node in stage.data_upstream))
    rule, name = stage.trigger, ids[stage.name]
    loop = () if values is None else values.loop

    def task(suffix: str, kind: Kind) -> Task:
        return Task(
            id=f"{name}{suffix}",
            kind=kind,
            upstream=upstream,
            rule=rule,
            stage=stage.name,
            group=group,
            loop=loop,
        )

    if rule is TriggerRule.ALWAYS and data:
        rule, upstream = TriggerRule.ALL_DONE, data
    if rule in EARLY and data and len(upstream) > 1:
        start = task(".start", "gate")
        rule, upstream = TriggerRule.ALL_DONE, data
        ready = task(".inputs", "gate")
        yield from (start, ready)
        rule, upstream = TriggerRule.ALL_SUCCESS, (start.id, ready.id)
    if branch is not None:
        source = ids[stage.when[0].source.node.stage]
        if branch.shared:
            yield Task(id=branch.id, kind="branch", upstream=(source,))
            upstream = (branch.id, *(item for item in upstream if item != source))
        else:
            yield task(".when", "branch")
            rule, upstream = TriggerRule.ALL_SUCCESS, (branch.id,)
    for kind, suffix in _before(stage, loop):
        made = task(suffix, kind)
        yield made
        rule, upstream = TriggerRule.ALL_SUCCESS, (made.id,)
    if values is not None and stage.foreach is not None:
        read = {source.node.stage for source in stage.foreach.sources}
        if values.rule is TriggerRule.ALL_DONE:
            read = set()  # otherwise the values are there: so is what they are read from
        upstream = (values.id, *(item for item in upstream if item not in read))
    yield task("", "stage")


def _before(stage: Stage, loop: tuple[str, ...]) -> Iterator[tuple[Kind, str]]:
    if stage.wait_for is not None:
        yield "sensor", ".file"
    if stage.foreach is not None and stage.foreach.values is None and not loop:
        yield "values", ".values"


def _needs_verdict(pipeline: Pipeline) -> bool:
    """Whether the states of the last tasks do not tell how the run ended."""
    return any(not s.critical or s.trigger in _TOLERANT for s in pipeline.stages.values())
