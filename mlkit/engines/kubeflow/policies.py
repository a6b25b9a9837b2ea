"""A stage's policies as statements about its kfp task, and what kfp cannot keep. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from mlkit.core.pipeline import Stage
from mlkit.core.policies import Retry, Volume
from mlkit.engines.kubeflow.branches import is_patient
from mlkit.engines.kubeflow.layout import Layout
from mlkit.engines.kubeflow.names import MOST_PIPELINE, MOST_STAGE, kfp_name
from mlkit.engines.python_text import call, literal
from mlkit.engines.questions import picked_label, together
from mlkit.engines.refusals import Refusal, long_name
from mlkit.engines.unrolling import Unrolled

__all__ = ["GPU", "refusals", "statements"]

GPU = "nvidia.com/gpu"
_KFP_LONGEST_S = 3600
"""kfp's own limit of a growing delay, if none is named."""
_CPU = re.compile(r"\d+(\.\d+)?m?")
_MEMORY = re.compile(r"\d+([EPTGMK]i?)?")


def refusals(whole: Unrolled, layout: Layout) -> Iterator[Refusal]:
    """Name what Kubeflow Pipelines cannot do.

    Parameters
    ----------
    whole : Unrolled
        The pipeline.
    layout : Layout
        Where its stages stand.
    """
    yield from long_name(None, kfp_name(whole.pipeline.name), MOST_PIPELINE)
    for name, stage in whole.pipeline.stages.items():
        told = whole.origins[name].stage if name in whole.origins else stage
        yield from long_name(told, told.name, MOST_STAGE)
        for fact, remedy in _refused(stage, layout):
            yield Refusal(stage=told, fact=fact, remedy=remedy)
        for other in together(whole.pipeline).get(name, ()):
            if layout.paths[other] != layout.paths[name]:
                yield Refusal(
                    stage=told,
                    fact=f"it is chained to '{other}' over a list that stands in an artifact, and "
                    "one of them stands behind a condition",
                    remedy="Give both the same 'when', or write the list down",
                )


def _refused(stage: Stage, layout: Layout) -> Iterator[tuple[str, str]]:
    """Each fact with its remedy."""
    retry, wanted = stage.retry, stage.resources
    if retry.max_retries and not float(retry.backoff).is_integer():
        fact = f"'backoff: {retry.backoff:g}': the workflow engine below it takes whole factors"
        yield fact, "Write a whole number, such as backoff: 2"
    if wanted.cpu is not None and not _CPU.fullmatch(wanted.cpu):
        yield f"'cpu: {wanted.cpu}': it takes cores or thousandths of them", "Write 2, 0.5 or 500m"
    if wanted.memory is not None and not _MEMORY.fullmatch(wanted.memory):
        fact = f"'memory: {wanted.memory}': it takes a whole number with K, M, G, Ki, Mi or Gi"
        yield fact, "Write 512Mi or 4Gi"
    if stage.wait_for is not None and is_patient(stage):
        fact = f"'wait_for' under the trigger {stage.trigger.value}"
        yield fact, "Wait in a stage of its own, and depend on it"
    source = None if stage.foreach is None else stage.foreach.source
    if source is None:
        return
    over = f"'foreach' over {source}"  # it is read from one artifact, before the loop
    if picked_label(source.node) is not None:
        yield f"{over}, one instance's artifact", "Let a stage without 'foreach' write the list"
    if is_patient(stage):
        fact = f"{over} in a stage that may run although something failed"
        remedy = "Use the trigger all_success, none_failed or none_failed_min_one_success"
        yield fact, remedy
    if not layout.sees(stage.name, source.node.stage):  # a branch keeps what is written in it
        fact = f"{over}, which is written in a branch that '{stage.name}' is not in"
        yield fact, "Write the list in a stage without 'when', or need nothing beside that branch"


def statements(stage: Stage, task: str) -> list[str]:
    """What is said of a task once it is made: retries and resources.

    Parameters
    ----------
    stage : Stage
        The stage.
    task : str
        The task's variable.
    """
    wanted = stage.resources
    said = {
        "set_cpu_request": wanted.cpu,
        "set_cpu_limit": wanted.cpu,
        "set_memory_request": wanted.memory,
        "set_memory_limit": wanted.memory,
        "set_accelerator_type": GPU if wanted.gpu else None,
        "set_accelerator_limit": wanted.gpu or None,
    }
    selectors = sorted(wanted.node_selector.items())
    return [
        *_retry(stage.retry, task),
        *(call(f"{task}.{verb}", repr(item)) for verb, item in said.items() if item is not None),
        *(
            call(
                "kubernetes.add_node_selector",
                task,
                label_key=literal(key),
                label_value=literal(value),
            )
            for key, value in selectors
        ),
        *(_mount(volume, task) for volume in stage.volumes.values()),
    ]


def _mount(volume: Volume, task: str) -> str:
    """kfp-kubernetes names a volume by what stands in it."""
    function, named = {
        "claim": ("mount_pvc", "pvc_name"),
        "config_map": ("use_config_map_as_volume", "config_map_name"),
        "secret": ("use_secret_as_volume", "secret_name"),
    }[volume.kind]
    given = {named: literal(volume.source), "mount_path": literal(volume.path)}
    return call(f"kubernetes.{function}", task, **given)


def _retry(retry: Retry, task: str) -> list[str]:
    """`set_retry`; kfp counts whole seconds, so a part of one is rounded up."""
    if not retry.max_retries:
        return []
    longest = retry.delay_s * retry.backoff ** (retry.max_retries - 1)
    named = {
        "num_retries": str(retry.max_retries),
        "backoff_duration": literal(f"{math.ceil(retry.delay_s)}s"),
        "backoff_factor": str(int(retry.backoff)),
    }
    if retry.max_delay_s is not None or longest > _KFP_LONGEST_S:
        most = longest if retry.max_delay_s is None else retry.max_delay_s
        named["backoff_max_duration"] = literal(f"{math.ceil(most)}s")
    return [call(f"{task}.set_retry", **named)]
