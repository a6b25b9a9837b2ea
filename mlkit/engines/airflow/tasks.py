"""The tasks of a DAG and what each waits for, worked out from the stages. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mlkit.core.graph import edges, topological_order
from mlkit.core.pipeline import Pipeline, Stage
from mlkit.core.triggers import TriggerRule
from mlkit.engines.questions import EARLY

__all__ = ["Branch", "Task", "branches_of", "tasks_of"]

Kind = Literal["stage", "branch", "sensor", "values", "gate", "verdict"]

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
        Its name in Airflow; a stage's task bears the stage's name.
    kind : str
        What it is.
    upstream : tuple of str
        The tasks that it waits for.
    rule : TriggerRule
        Which of their states let it start.
    stage : str
        The stage for which it is there; empty for what is there for several.
    """

    id: str
    kind: Kind
    upstream: tuple[str, ...] = ()
    rule: TriggerRule = TriggerRule.ALL_SUCCESS
    stage: str = ""


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


def branches_of(pipeline: Pipeline) -> dict[str, Branch]:
    """Give the branch of each stage that has conditions, by the stage's name.

    Stages with one condition on the same artifact and the usual trigger rule share a branch, as one
    would write it by hand.
    """
    found: dict[str, Branch] = {}
    for stage in pipeline.stages.values():
        if not stage.when:
            continue
        if _shares(stage):
            key = str(stage.when[0].source)
            group = tuple(
                s.name
                for s in pipeline.stages.values()
                if s.when and _shares(s) and str(s.when[0].source) == key
            )
            found[stage.name] = Branch(id=key, stages=group, shared=True)
        else:
            found[stage.name] = Branch(id=f"{stage.name}.when", stages=(stage.name,), shared=False)
    return found


def _shares(stage: Stage) -> bool:
    return len(stage.when) == 1 and stage.trigger is TriggerRule.ALL_SUCCESS


def tasks_of(pipeline: Pipeline) -> tuple[Task, ...]:
    """Give all tasks, each after those that it waits for, in the order of the file otherwise."""
    branches = branches_of(pipeline)
    tasks: dict[str, Task] = {}
    for stage in _ordered(pipeline):
        for task in _of_stage(stage, branches.get(stage.name)):
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


def _of_stage(stage: Stage, branch: Branch | None) -> Iterator[Task]:
    """The tasks that lead to a stage, and the stage's own, one behind the other."""
    upstream = tuple(dict.fromkeys(node.stage for node in stage.upstream))
    data = tuple(dict.fromkeys(node.stage for node in stage.data_upstream))
    rule, name = stage.trigger, stage.name
    if rule is TriggerRule.ALWAYS and data:
        rule, upstream = TriggerRule.ALL_DONE, data
    if rule in EARLY and data and len(upstream) > 1:
        start, ready = f"{name}.start", f"{name}.inputs"
        yield Task(id=start, kind="gate", upstream=upstream, rule=rule, stage=name)
        yield Task(id=ready, kind="gate", upstream=data, rule=TriggerRule.ALL_DONE, stage=name)
        rule, upstream = TriggerRule.ALL_SUCCESS, (start, ready)
    if branch is not None:
        source = stage.when[0].source.node.stage
        if branch.shared:
            yield Task(id=branch.id, kind="branch", upstream=(source,))
            upstream = (branch.id, *(item for item in upstream if item != source))
        else:
            yield Task(id=branch.id, kind="branch", upstream=upstream, rule=rule, stage=name)
            rule, upstream = TriggerRule.ALL_SUCCESS, (branch.id,)
    for kind, suffix in _before(stage):
        task = Task(id=f"{name}.{suffix}", kind=kind, upstream=upstream, rule=rule, stage=name)
        yield task
        rule, upstream = TriggerRule.ALL_SUCCESS, (task.id,)
    yield Task(id=name, kind="stage", upstream=upstream, rule=rule, stage=name)


def _before(stage: Stage) -> Iterator[tuple[Kind, str]]:
    if stage.wait_for is not None:
        yield "sensor", "file"
    if stage.foreach is not None and stage.foreach.values is None:
        yield "values", "values"


def _needs_verdict(pipeline: Pipeline) -> bool:
    """Whether the states of the last tasks do not tell how the run ended."""
    return any(not s.critical or s.trigger in _TOLERANT for s in pipeline.stages.values())
