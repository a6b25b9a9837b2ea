"""A stage's policies as statements about its kfp task; what kfp cannot keep is refused. Pure."""

from __future__ import annotations

import math
import re
from typing import NoReturn

from mlkit.core.pipeline import Pipeline, Stage
from mlkit.core.policies import Retry
from mlkit.engines.kubeflow.branches import is_patient
from mlkit.engines.kubeflow.layout import Layout
from mlkit.engines.kubeflow.writing import call, quoted
from mlkit.engines.refusals import refusal
from mlkit.engines.registry import ENGINES

__all__ = ["GPU", "check", "needs_kubernetes", "statements"]

GPU = "nvidia.com/gpu"
_KFP_LONGEST_S = 3600
_CPU = re.compile(r"\d+(\.\d+)?m?")
_MEMORY = re.compile(r"\d+([EPTGMK]i?)?")


def check(pipeline: Pipeline, layout: Layout) -> None:
    """Refuse what Kubeflow Pipelines cannot do.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    layout : Layout
        Where its stages stand.

    Raises
    ------
    UnsupportedByEngineError
        Naming the stage, its line, and what to do instead.
    """
    for stage in pipeline.stages.values():
        _check_retry(pipeline, stage)
        _check_resources(pipeline, stage)
        _check_sources(pipeline, stage)
        _check_branch(pipeline, layout, stage)


def _refuse(pipeline: Pipeline, stage: Stage, fact: str, remedy: str) -> NoReturn:
    raise refusal(ENGINES["kubeflow"], pipeline, stage, fact, remedy)


def _check_retry(pipeline: Pipeline, stage: Stage) -> None:
    retry = stage.retry
    if retry.max_retries and not float(retry.backoff).is_integer():
        fact = f"'backoff: {retry.backoff:g}': the workflow engine below it takes whole factors"
        _refuse(pipeline, stage, fact, "Write a whole number, such as backoff: 2")


def _check_resources(pipeline: Pipeline, stage: Stage) -> None:
    wanted = stage.resources
    if wanted.cpu is not None and not _CPU.fullmatch(wanted.cpu):
        fact = f"'cpu: {wanted.cpu}': it takes cores or thousandths of them"
        _refuse(pipeline, stage, fact, "Write 2, 0.5 or 500m")
    if wanted.memory is not None and not _MEMORY.fullmatch(wanted.memory):
        fact = f"'memory: {wanted.memory}': it takes a whole number with K, M, G, Ki, Mi or Gi"
        _refuse(pipeline, stage, fact, "Write 512Mi or 4Gi")


def _check_sources(pipeline: Pipeline, stage: Stage) -> None:
    """A value that decides about loops is read from one artifact, before the loop."""
    source = None if stage.foreach is None else stage.foreach.source
    if source is not None and (source.node.value is not None or is_patient(stage)):
        fact = f"'foreach' over {source} in a stage that may run although something failed"
        remedy = "Use the trigger all_success, none_failed or none_failed_min_one_success"
        if source.node.value is not None:
            fact = f"'foreach' over {source}, one instance's artifact"
            remedy = "Let a stage without 'foreach' write the list"
        _refuse(pipeline, stage, fact, remedy)
    if stage.wait_for is not None and is_patient(stage):
        fact = f"'wait_for' under the trigger {stage.trigger.value}"
        _refuse(pipeline, stage, fact, "Wait in a stage of its own, and depend on it")


def _check_branch(pipeline: Pipeline, layout: Layout, stage: Stage) -> None:
    """A list that is written in a branch can be read in that branch only."""
    source = None if stage.foreach is None else stage.foreach.source
    if source is not None and not layout.sees(stage.name, source.node.stage):
        fact = (
            f"'foreach' over {source}, which is written in a branch that '{stage.name}' is not in"
        )
        remedy = "Write the list in a stage without 'when', or need nothing beside that branch"
        _refuse(pipeline, stage, fact, remedy)


def needs_kubernetes(pipeline: Pipeline) -> bool:
    """Whether the file needs the library kfp-kubernetes."""
    return any(stage.resources.node_selector for stage in pipeline.stages.values())


def statements(stage: Stage, task: str) -> list[str]:
    """What is said of a task once it is made: retries and resources.

    Parameters
    ----------
    stage : Stage
        The stage.
    task : str
        The task's variable.
    """
    lines = _retry(stage.retry, task)
    wanted = stage.resources
    if wanted.cpu is not None:
        lines.append(f"{task}.set_cpu_request({quoted(wanted.cpu)})")
        lines.append(f"{task}.set_cpu_limit({quoted(wanted.cpu)})")
    if wanted.memory is not None:
        lines.append(f"{task}.set_memory_request({quoted(wanted.memory)})")
        lines.append(f"{task}.set_memory_limit({quoted(wanted.memory)})")
    if wanted.gpu:
        lines.append(f"{task}.set_accelerator_type({quoted(GPU)})")
        lines.append(f"{task}.set_accelerator_limit({wanted.gpu})")
    for key, value in sorted(wanted.node_selector.items()):
        label = (task, ("label_key=", quoted(key)), ("label_value=", quoted(value)))
        lines += call("kubernetes.add_node_selector", label)
    return lines


def _retry(retry: Retry, task: str) -> list[str]:
    """`set_retry`; kfp counts whole seconds, so a part of one is rounded up."""
    if not retry.max_retries:
        return []
    longest = retry.delay_s * retry.backoff ** (retry.max_retries - 1)
    arguments = [
        f"num_retries={retry.max_retries}",
        f'backoff_duration="{math.ceil(retry.delay_s)}s"',
        f"backoff_factor={int(retry.backoff)}",
    ]
    if retry.max_delay_s is not None:
        arguments.append(f'backoff_max_duration="{math.ceil(retry.max_delay_s)}s"')
    elif longest > _KFP_LONGEST_S:
        arguments.append(f'backoff_max_duration="{math.ceil(longest)}s"')
    return call(f"{task}.set_retry", arguments)
