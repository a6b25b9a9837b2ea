"""A stage's policies in Airflow's words. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from mlkit.core.pipeline import Pipeline, Stage
from mlkit.engines.python_text import call, literal, value
from mlkit.engines.refusals import refusal
from mlkit.engines.registry import ENGINES

__all__ = [
    "Policy",
    "common_policy",
    "duration",
    "number",
    "own_policy",
    "placement",
    "policy_of",
]

AIRFLOW = ENGINES["airflow"]
GRACE_S = 60.0
"""mlkit ends a notebook at its own deadline; Airflow's is there for what mlkit could not end."""

Policy = dict[str, str]


def policy_of(pipeline: Pipeline, stage: Stage) -> Policy:
    """Give the keyword arguments for retries and timeout of a stage.

    Raises
    ------
    UnsupportedByEngineError
        If delays must be exact and grow: Airflow spreads growing delays at random.
    """
    retry, found = stage.retry, Policy()
    if retry.max_retries:
        found["retries"] = str(retry.max_retries)
        found["retry_delay"] = duration(retry.delay_s)
    if retry.max_retries > 1 and retry.backoff != 1:
        if not retry.jitter:
            raise refusal(
                AIRFLOW,
                pipeline,
                stage,
                "'jitter: false' with a growing delay, for Airflow always spreads delays that grow",
                "Leave out 'jitter', or write 'backoff: 1'",
            )
        found["retry_exponential_backoff"] = number(retry.backoff)
        if retry.max_delay_s is not None:
            found["max_retry_delay"] = duration(retry.max_delay_s)
    if stage.timeout_s is not None:
        found["execution_timeout"] = duration(stage.timeout_s + GRACE_S)
    return found


def common_policy(policies: Iterable[Policy]) -> Policy:
    """Give what most stages have in common; it becomes the DAG's default arguments."""
    everyone = list(policies)
    names = dict.fromkeys(name for policy in everyone for name in policy)
    common = Policy()
    for name in names:
        counts = Counter(str(policy.get(name)) for policy in everyone)
        chosen = counts.most_common(1)[0][0]
        common |= (
            next(({name: p[name]} for p in everyone if str(p.get(name)) == chosen), {})
            if (chosen != "None")
            else {}
        )
    return common


def own_policy(policy: Policy, common: Policy) -> Policy:
    """Give what a stage has otherwise than the default arguments say."""
    nothing = {"retries": "0"}
    own = {name: item for name, item in policy.items() if str(common.get(name)) != str(item)}
    for name in common:
        if name not in policy and (name == "execution_timeout" or name == "retries"):
            own[name] = nothing.get(name, "None")
        elif name == "retry_exponential_backoff" and name not in policy and "retries" in policy:
            own[name] = "0"
        elif name == "max_retry_delay" and name not in policy and "retries" in policy:
            own[name] = "None"
    return own


def duration(seconds: float) -> str:
    """Write a duration as a `timedelta` in its largest whole unit."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= size and seconds % size == 0:
            return call("timedelta", **{unit: f"{int(seconds // size)}"})
    return call("timedelta", seconds=number(seconds))


def number(item: float) -> str:
    """Write a number, a whole one without a point."""
    return repr(int(item) if item == int(item) else item)


def placement(stage: Stage) -> str | None:
    """Write what a stage asks of the machine that it runs on, for executors on Kubernetes."""
    wanted = stage.resources
    named: dict[str, str] = {}
    if stage.image:
        named["image"] = literal(stage.image)
    if wanted.cpu:
        named["cpu"] = literal(wanted.cpu)
    if wanted.memory:
        named["memory"] = literal(wanted.memory)
    if wanted.gpu:
        named["gpu"] = str(wanted.gpu)
    if wanted.node_selector:
        named["node_selector"] = value(dict(wanted.node_selector))
    return call("pod", **named) if named else None
