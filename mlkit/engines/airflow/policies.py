"""A stage's policies in Airflow's words, and what Airflow has no words for. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from mlkit.core.pipeline import Pipeline, Stage
from mlkit.core.triggers import TriggerRule
from mlkit.engines.airflow.tasks import Task, shares_branch, task_ids
from mlkit.engines.python_text import call, number, value
from mlkit.engines.questions import EARLY, picked_label, together
from mlkit.engines.refusals import Refusal, long_name, not_one_by_one
from mlkit.engines.unrolling import Unrolled

__all__ = [
    "Policy",
    "common_policy",
    "dag_id",
    "duration",
    "long_names",
    "own_policy",
    "placement",
    "policy_of",
    "refusals",
    "surroundings",
]

GRACE_S = 60.0
"""mlkit ends a notebook at its own deadline; Airflow's is there for what mlkit could not end."""

_MOST_KEY = 250
"""Airflow's longest id of a DAG or a task (`validate_key`)."""
_MOST_GROUP = 200
"""Its longest id of a group of tasks (`validate_group_key`)."""

Policy = dict[str, str]

_PAST = "depends_on_past"
"""Never a default argument: those hold for branches and lists, too, which have no past."""

_WITHOUT = {
    "retries": "0",
    "execution_timeout": "None",
    "retry_exponential_backoff": "0",
    "max_retry_delay": "None",
}
"""What a stage says that does not have a policy which the default arguments give to all."""


def refusals(whole: Unrolled) -> Iterator[Refusal]:
    """Name what Airflow cannot express."""
    yield from not_one_by_one(whole.pipeline)
    for name, stage in whole.pipeline.stages.items():
        told = whole.origins[name].stage if name in whole.origins else stage
        single = next((node for node in stage.upstream if picked_label(node) is not None), None)
        if single is not None:
            yield Refusal(
                stage=told,
                fact=f"it waits for {single} alone, and of a list that stands in an artifact the "
                "engine waits for all or for none",
                remedy=f"Refer to '{single.stage}' as a whole, and pick from the list in the "
                "notebook; or write the list down",
            )
        if name in together(whole.pipeline):
            yield from _not_in_a_loop(stage)
        if _grows(stage) and not stage.retry.jitter:
            yield Refusal(
                stage=told,
                fact="'jitter: false' with a growing delay, for Airflow always spreads delays that "
                "grow",
                remedy="Leave out 'jitter', or write 'backoff: 1'",
            )


def dag_id(pipeline: Pipeline) -> str:
    """The DAG's name, which is that of its file, too: Python has to be able to import it."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", pipeline.name)


def long_names(
    whole: Unrolled, tasks: Iterable[Task], loops: Mapping[tuple[str, ...], str]
) -> Iterator[Refusal]:
    """Name the ids that Airflow finds too long.

    Parameters
    ----------
    whole : Unrolled
        The pipeline.
    tasks : iterable of Task
        The tasks of the DAG.
    loops : mapping of (tuple of str) to str
        The stages of each mapped group of tasks, and what the group is called.
    """
    yield from long_name(None, dag_id(whole.pipeline), _MOST_KEY)
    stages, of_task = whole.pipeline.stages, {v: k for k, v in task_ids(whole).items()}
    for task in tasks:
        if task.kind == "verdict":
            continue
        # a branch that stages share is called after the one whose artifact it asks
        name = task.stage or of_task[task.upstream[0]]
        stage = whole.origins[name].stage if name in whole.origins else stages[name]
        yield from long_name(stage, task.group, _MOST_GROUP)
        yield from long_name(stage, task.id, _MOST_KEY)
    for loop, group in loops.items():
        yield from long_name(stages[loop[0]], group, _MOST_GROUP)


def _not_in_a_loop(stage: Stage) -> Iterator[Refusal]:
    """What the tasks of a mapped group cannot have, for the group waits as a whole then."""
    odd = []
    if stage.trigger in (*EARLY, TriggerRule.ALL_FAILED, TriggerRule.ALWAYS):
        odd.append(f"the trigger {stage.trigger.value}")
    if stage.is_chained and stage.when and not shares_branch(stage):
        odd.append("more than one condition, or one under another trigger than all_success")
    for what in odd:
        yield Refusal(
            stage=stage,
            fact=f"{what}, in a chain over a list that stands in an artifact",
            remedy="Write the list down, or put that into a stage before the chain",
        )


def _grows(stage: Stage) -> bool:
    return stage.retry.max_retries > 1 and stage.retry.backoff != 1


def policy_of(stage: Stage) -> Policy:
    """Give the keyword arguments for retries and timeout of a stage."""
    retry, found = stage.retry, Policy()
    if retry.max_retries:
        found["retries"] = str(retry.max_retries)
        found["retry_delay"] = duration(retry.delay_s)
    if _grows(stage):
        found["retry_exponential_backoff"] = number(retry.backoff)
        if retry.max_delay_s is not None:
            found["max_retry_delay"] = duration(retry.max_delay_s)
    if stage.timeout_s is not None:
        found["execution_timeout"] = duration(stage.timeout_s + GRACE_S)
    if stage.depends_on_past:
        found[_PAST] = "True"
    return found


def common_policy(policies: Iterable[Policy]) -> Policy:
    """Give what most stages have in common; it becomes the DAG's default arguments."""
    everyone = list(policies)
    common = Policy()
    for name in dict.fromkeys(name for policy in everyone for name in policy if name != _PAST):
        ((chosen, _),) = Counter(policy.get(name) for policy in everyone).most_common(1)
        if chosen is not None:
            common[name] = chosen
    return common


def own_policy(policy: Policy, common: Policy) -> Policy:
    """Give what a stage has otherwise than the default arguments say."""
    own = {name: item for name, item in policy.items() if common.get(name) != item}
    for name in common:
        # delays mean nothing to a stage that is not tried again
        matters = "retries" in policy or name in ("retries", "execution_timeout")
        if name not in policy and name in _WITHOUT and matters:
            own[name] = _WITHOUT[name]
    return own


def duration(seconds: float) -> str:
    """Write a duration as a `timedelta` in its largest whole unit."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= size and seconds % size == 0:
            return call("timedelta", **{unit: f"{int(seconds // size)}"})
    return call("timedelta", seconds=number(seconds))


def placement(stage: Stage) -> str | None:
    """Write what a stage asks of the machine that it runs on, for executors on Kubernetes."""
    wanted = stage.resources
    asked = {
        "cpu": wanted.cpu,
        "memory": wanted.memory,
        "gpu": wanted.gpu,
        "node_selector": dict(wanted.node_selector),
    }
    return _pod({"image": stage.image, **asked, "volumes": _mounts(stage)})


def surroundings(stage: Stage) -> str | None:
    """Write what a task needs that reads beside a stage what that one reads: image and volumes."""
    return _pod({"image": stage.image, "volumes": _mounts(stage)})


def _mounts(stage: Stage) -> dict[str, tuple[str, str, str]]:
    return {name: (item.kind, item.source, item.path) for name, item in stage.volumes.items()}


def _pod(asked: Mapping[str, object]) -> str | None:
    named = {name: value(item) for name, item in asked.items() if item}
    return call("pod", **named) if named else None
