"""The text of a flow's tasks: one for each stage, and one for each file that is waited for."""

from __future__ import annotations

from typing import Any

from mlkit.core.pipeline import Condition, Pipeline, Stage
from mlkit.core.policies import Retry
from mlkit.engines.prefect.names import FlowNames
from mlkit.engines.python_text import (
    assign,
    call,
    decorate,
    listing,
    literal,
    mapping,
    number,
    one_line,
    value,
    write,
)

__all__ = ["MOST_DELAYS", "delay_s", "retry_policies", "task_texts"]

MOST_DELAYS = 50
"""Prefect takes no longer list of delays; it repeats the last one."""

_JITTER = 0.5
"""Around each delay: what comes nearest to mlkit's draw between half of it and all of it."""


def delay_s(retry: Retry, place: int) -> float:
    """How long Prefect waits before a retry; the first has place 0."""
    delay = retry.delay_s * retry.backoff**place
    return delay if retry.max_delay_s is None else min(delay, retry.max_delay_s)


def _policy(retry: Retry) -> str:
    """Write a retry policy as further arguments of `@task`; empty if nothing is tried again."""
    if retry.max_retries == 0:
        return ""
    delays = [delay_s(retry, place) for place in range(min(retry.max_retries, MOST_DELAYS))]
    named = {
        "retries": str(retry.max_retries),
        "retry_delay_seconds": listing(map(number, delays)),
        "retry_condition_fn": "is_retryable",
    }
    if retry.jitter and any(delays):
        named["retry_jitter_factor"] = str(_JITTER)
    return mapping(named)


def retry_policies(pipeline: Pipeline) -> dict[str, str]:
    """Name each retry policy of a pipeline: `RETRY`, or `RETRY_1`, `RETRY_2`, …."""
    policies = [*filter(None, dict.fromkeys(_policy(s.retry) for s in pipeline.stages.values()))]
    if len(policies) == 1:
        return {policies[0]: "RETRY"}
    return {policy: f"RETRY_{place}" for place, policy in enumerate(policies, 1)}


def task_texts(pipeline: Pipeline, stage: Stage, names: FlowNames) -> list[str]:
    """Write the tasks of one stage."""
    own = names.stages[stage.name]
    guards = _guards(stage)
    texts = []
    if stage.wait_for is not None:
        wait = call(
            "run.wait_for_file",
            literal(stage.name),
            literal(str(stage.wait_for.path)),
            f"every_s={number(stage.wait_for.every_s)}",
            f"timeout_s={number(stage.wait_for.timeout_s)}",
        )
        told = ["on_failure=[tell]"] if stage.notify.on_failure else []
        head = call("task", f"name={literal(f'wait for {stage.name}')}", "**COMMON", *told)
        doc = f"Wait until a file is there for {stage.name}."
        body = [*guards, write(wait, before="return ", indent=1)]
        texts.append(_function(head, own.waiting, ["run", "upstream"], doc, body))
        guards = ['    if ended := held_back("all_success", upstream):', "        return ended"]
    mapped = stage.foreach is not None
    given = ["run", "value", "upstream"] if mapped else ["run", "upstream"]
    run = call("run.stage", literal(stage.name), *(["value"] if mapped else []))
    body = [*guards, write(run, before="return ", indent=1)]
    texts.append(_function(_decorator(pipeline, stage), own.task, given, _doc(stage), body))
    return texts


def _function(head: str, name: str, given: list[str], doc: str, body: list[str]) -> str:
    lines = [
        decorate(head),
        f"def {name}({', '.join(f'{n}: Run' if n == 'run' else n for n in given)}):",
        f'    """{doc}"""',
        *body,
    ]
    return "\n".join(lines)


def _doc(stage: Stage) -> str:
    text = f"Run {stage.notebook.name}"
    if stage.timeout_s is not None:
        text += f"; mlkit ends it after {number(stage.timeout_s)} s"
    return one_line(f"{text}.")


def _decorator(pipeline: Pipeline, stage: Stage) -> str:
    arguments = [f"name={literal(stage.name)}"]
    if stage.foreach is not None:
        run_name = stage.name.replace("{", "{{").replace("}", "}}") + "[{value}]"
        arguments.append(f"task_run_name={literal(run_name)}")
    arguments.append("**COMMON")
    policy = retry_policies(pipeline).get(_policy(stage.retry))
    arguments += [] if policy is None else [f"**{policy}"]
    arguments += ["on_failure=[tell]"] if stage.notify.on_failure else []
    arguments += ["on_completion=[tell]"] if stage.notify.on_success else []
    return call("task", *arguments)


def _guards(stage: Stage) -> list[str]:
    """What keeps a stage from being run: its trigger rule, then its conditions."""
    rule = literal(stage.trigger.value)
    lines = [f"    if ended := held_back({rule}, upstream):", "        return ended"]
    for condition in stage.when:
        lines += _condition(condition)
    return lines


def _condition(condition: Condition) -> list[str]:
    source = condition.source
    read = call("artifact", f"upstream[{literal(str(source.node))}]", literal(source.output))
    return [
        assign("found", read, indent=1),
        f"    if {_unmet(condition.values)}:",
        f'        return skipped(f"{source} is {{found!r}}")',
    ]


def _unmet(values: tuple[Any, ...]) -> str:
    if all(isinstance(item, str) for item in values):
        if len(values) == 1:
            return f"found != {value(values[0])}"
        return f"found not in ({', '.join(value(item) for item in values)})"
    return f"not same(found, {', '.join(value(item) for item in values)})"
