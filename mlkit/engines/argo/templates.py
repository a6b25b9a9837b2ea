"""The templates: the container of each stage, with its retries, its time and its place. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from mlkit.core.pipeline import Pipeline, Stage
from mlkit.core.policies import Retry
from mlkit.engines.argo.mlkit_task import AGAIN
from mlkit.engines.argo.names import floats, values, word

__all__ = ["FACTS", "container", "first_image", "pod_volumes", "stage_template", "variables_of"]

GRACE_S = 60
"""mlkit ends a notebook at its own deadline; Argo's is there for what mlkit could not end."""
FACTS = "/etc/mlkit"
"""Where the ConfigMap stands in every container."""
_OUT = "/tmp/mlkit"

Made = dict[str, Any]


def stage_template(
    pipeline: Pipeline, stage: Stage, template: str, handed: Mapping[str, list[str]], secrets: str
) -> Made:
    """Write the template of one stage.

    Parameters
    ----------
    pipeline, stage
        The pipeline, and the stage as pipeline.yaml has it.
    template : str
        What it is called.
    handed : mapping of str to list of str
        The outputs that other tasks ask for, by how they ask.
    secrets : str
        The Secret that holds the variables of the environment.
    """
    asked = [f"--{kind}={name}" for kind, names in handed.items() for name in names]
    words = ["run", "{{inputs.parameters.instance}}", *asked]
    if not stage.critical:
        words.append("--not-critical")
    if stage.retry.max_retries:
        words += ["--retries={{retries}}", f"--limit={stage.retry.max_retries}"]
    name_of = {"word": word, "values": values, "floats": floats}
    outputs = ["state", *(name_of[kind](n) for kind, names in handed.items() for n in names)]
    made: Made = {
        "name": template,
        "inputs": {"parameters": [{"name": "instance"}]},
        "outputs": {
            "parameters": [{"name": n, "valueFrom": {"path": f"{_OUT}/{n}"}} for n in outputs]
        },
    }
    if stage.timeout_s is not None:
        wait_s = 0.0 if stage.wait_for is None else stage.wait_for.timeout_s
        made["activeDeadlineSeconds"] = math.ceil(stage.timeout_s + wait_s) + GRACE_S
    if stage.retry.max_retries:
        made["retryStrategy"] = _retry(stage.retry)
    if stage.resources.node_selector:
        made["nodeSelector"] = dict(stage.resources.node_selector)
    image = stage.image or first_image(pipeline)
    made["container"] = container(image, words, variables_of(pipeline), secrets)
    mount(made, stage)
    resources = _resources(stage)
    if resources:
        made["container"]["resources"] = resources
    return made


def mount(template: Made, stage: Stage) -> None:
    """Give a template the volumes of a stage."""
    if not stage.volumes:
        return
    sources = {
        "claim": lambda name: {"persistentVolumeClaim": {"claimName": name}},
        "config_map": lambda name: {"configMap": {"name": name}},
        "secret": lambda name: {"secret": {"secretName": name}},
    }
    template["volumes"] = [
        {"name": name, **sources[item.kind](item.source)} for name, item in stage.volumes.items()
    ]
    template["container"]["volumeMounts"] += [
        {"name": name, "mountPath": item.path} for name, item in stage.volumes.items()
    ]


def container(image: str, words: list[str], variables: list[str], secrets: str) -> Made:
    """Write a container that calls `mlkit_task.py`."""
    told = {
        "workflow": "{{workflow.name}}",
        "created": "{{workflow.creationTimestamp}}",
        "pod": "{{pod.name}}",
        "arguments": "{{workflow.parameters.json}}",
        "out": _OUT,
    }
    made: Made = {
        "image": image,
        "command": ["python3", f"{FACTS}/mlkit_task.py"],
        "args": [*words, *(f"--{name}={text}" for name, text in told.items())],
    }
    if variables:
        made["env"] = [
            {"name": name, "valueFrom": {"secretKeyRef": {"name": secrets, "key": name}}}
            for name in variables
        ]
    made["volumeMounts"] = [{"name": "mlkit-task", "mountPath": FACTS, "readOnly": True}]
    return made


def pod_volumes(pipeline_name: str) -> list[Made]:
    """The volumes of every pod."""
    return [{"name": "mlkit-task", "configMap": {"name": f"{pipeline_name}-mlkit"}}]


def first_image(pipeline: Pipeline) -> str:
    """The image of what belongs to no stage."""
    return next(s.image for s in pipeline.stages.values() if s.image is not None)


def variables_of(pipeline: Pipeline) -> list[str]:
    """The variables of the environment that pipeline.yaml names as `${NAME}`."""
    return sorted(set(_named(pipeline)))


def _named(pipeline: Pipeline) -> Iterator[str]:
    profile = None if pipeline.profile is None else pipeline.profile.parameters
    told: list[Any] = [pipeline.parameters, profile]
    for stage in pipeline.stages.values():
        told += [stage.parameters, stage.env, stage.inputs, stage.notify]
    for item in told:
        yield from re.findall(r"\$\{(\w+)\}", repr(item))


def _retry(retry: Retry) -> Made:
    """What failed may be tried again if mlkit says so, and what was lost with its machine."""
    backoff: Made = {"duration": _duration(retry.delay_s), "factor": int(retry.backoff)}
    if retry.max_delay_s is not None:
        backoff["cap"] = _duration(retry.max_delay_s)
    return {
        "limit": retry.max_retries,
        "retryPolicy": "Always",
        "expression": f"lastRetry.exitCode == '{AGAIN}' || lastRetry.status == 'Error'",
        "backoff": backoff,
    }


def _duration(seconds: float) -> str:
    """A duration as Go reads it, to the millisecond."""
    whole = float(seconds).is_integer()
    return f"{int(seconds)}s" if whole else f"{math.ceil(seconds * 1000)}ms"


def _resources(stage: Stage) -> Made:
    wanted = stage.resources
    asked = {"cpu": wanted.cpu, "memory": wanted.memory}
    requests = {name: item for name, item in asked.items() if item is not None}
    limits = dict(requests)
    if wanted.gpu:
        limits["nvidia.com/gpu"] = str(wanted.gpu)
    found: Made = {}
    if requests:
        found["requests"] = requests
    if limits:
        found["limits"] = limits
    return found
