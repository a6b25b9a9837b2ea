"""Where a flow runs: what its stages ask for, as the job variables of a work pool."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from mlkit.core.pipeline import Pipeline

__all__ = ["job_template", "job_variables"]

_UNITS = {"": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18, "m": -3, "u": -6, "n": -9}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def quantity(text: str) -> Decimal:
    """Read a quantity of Kubernetes: `500m`, `2`, `512Mi`, `4G`."""
    number = text.rstrip("kKMGTPEmuni")
    unit = text[len(number) :]
    if unit in _BINARY:
        return Decimal(number) * (1 << _BINARY[unit])
    return Decimal(number).scaleb(_UNITS[unit])


def job_variables(pipeline: Pipeline) -> dict[str, Any]:
    """What one job needs that runs the whole flow: the most that any stage asks for.

    Parameters
    ----------
    pipeline : Pipeline
        A pipeline that Prefect can express.
    """
    stages = list(pipeline.stages.values())
    selector = {k: v for stage in stages for k, v in stage.resources.node_selector.items()}
    wanted = {
        "image": next((stage.image for stage in stages if stage.image is not None), None),
        "cpu": _largest(stage.resources.cpu for stage in stages),
        "memory": _largest(stage.resources.memory for stage in stages),
        "gpu": max((stage.resources.gpu or 0 for stage in stages), default=0) or None,
        "node_selector": selector or None,
        **_volumes(pipeline),
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _volumes(pipeline: Pipeline) -> dict[str, Any]:
    """The volumes of all stages, as a pod has them."""
    every = {n: item for stage in pipeline.stages.values() for n, item in stage.volumes.items()}
    sources = {
        "claim": lambda name: {"persistentVolumeClaim": {"claimName": name}},
        "config_map": lambda name: {"configMap": {"name": name}},
        "secret": lambda name: {"secret": {"secretName": name}},
    }
    return {
        "volumes": [{"name": n, **sources[v.kind](v.source)} for n, v in every.items()] or None,
        "volume_mounts": [{"name": n, "mountPath": v.path} for n, v in every.items()] or None,
    }


def _largest(quantities: Iterable[str | None]) -> str | None:
    given = [item for item in quantities if item is not None]
    return max(given, key=quantity, default=None)


_TYPES = {
    "gpu": "integer",
    "node_selector": "object",
    "volumes": "array",
    "volume_mounts": "array",
}


def job_template(variables: dict[str, Any]) -> dict[str, Any]:
    """Write the base job template of a Kubernetes work pool that takes the job variables.

    Parameters
    ----------
    variables : dict
        What the deployment sets.
    """
    names = {"cpu": "cpu", "memory": "memory", "gpu": "nvidia.com/gpu"}
    asked = {key: f"{{{{ {name} }}}}" for name, key in names.items() if name in variables}
    limits = {key: value for key, value in asked.items() if key == "nvidia.com/gpu"}
    container: dict[str, Any] = {
        "name": "prefect-job",
        "image": "{{ image }}",
        "env": "{{ env }}",
        "args": "{{ command }}",
    }
    if asked:
        container["resources"] = {"requests": asked, **({"limits": limits} if limits else {})}
    pod: dict[str, Any] = {"restartPolicy": "Never", "containers": [container]}
    if "volumes" in variables:
        pod["volumes"] = "{{ volumes }}"
        container["volumeMounts"] = "{{ volume_mounts }}"
    if "node_selector" in variables:
        pod["nodeSelector"] = "{{ node_selector }}"
    own = {name: {"type": _TYPES.get(name, "string")} for name in ("image", *variables)}
    properties = {
        "name": {"type": "string"},
        "command": {"type": "string"},
        "env": {"type": "object", "additionalProperties": {"type": "string"}},
        "namespace": {"type": "string", "default": "default"},
        **own,
    }
    manifest = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"generateName": "{{ name }}-", "namespace": "{{ namespace }}"},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }
    configuration = {
        "command": "{{ command }}",
        "env": "{{ env }}",
        "name": "{{ name }}",
        "namespace": "{{ namespace }}",
        "job_manifest": manifest,
    }
    return {
        "job_configuration": configuration,
        "variables": {"type": "object", "properties": properties},
    }
