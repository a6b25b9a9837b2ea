"""`prefect.yaml`: how the flow is deployed, on which schedule, and in what it runs."""

from __future__ import annotations

import json
from typing import Any

from mlkit.core.pipeline import Pipeline
from mlkit.engines.prefect.names import FlowNames, shown_name
from mlkit.engines.prefect.placing import job_template, job_variables

__all__ = ["deployment_files"]

TEMPLATE = "kubernetes-job-template.json"


def deployment_files(pipeline: Pipeline, names: FlowNames) -> dict[str, str]:
    """Write `prefect.yaml`, and the work pool's template if stages ask for resources.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    names : FlowNames
        What everything is called.

    Returns
    -------
    dict of str to str
        File name to text.
    """
    variables = job_variables(pipeline)
    files = {"prefect.yaml": _deployment(pipeline, names, variables)}
    if variables:
        template = json.dumps(job_template(variables), indent=2, ensure_ascii=False)
        files[TEMPLATE] = template + "\n"
    return files


def _deployment(pipeline: Pipeline, names: FlowNames, variables: dict[str, Any]) -> str:
    name = _text(shown_name(pipeline))
    kind = "process"
    if variables:
        kind = f"kubernetes --base-job-template {TEMPLATE}"
    lines = [
        f"# How {names.flow}_flow.py is deployed. In this folder, once a Prefect server is there:",
        "#",
        f"#   prefect work-pool create mlkit --type {kind}",
        "#   prefect --no-prompt deploy --all",
        "#   prefect worker start --pool mlkit",
        "",
        f"name: {name}",
        "",
        "deployments:",
        f"  - name: {name}",
    ]
    if pipeline.description:
        lines.append(f"    description: {_text(pipeline.description)}")
    lines += [f"    entrypoint: {names.flow}_flow.py:{names.flow}", f"    tags: [{name}]"]
    if pipeline.schedule is not None:
        lines += ["    schedules:", f"      - cron: {_text(pipeline.schedule)}"]
        if pipeline.timezone.upper() != "UTC":
            lines.append(f"        timezone: {_text(pipeline.timezone)}")
    if not pipeline.overlap:
        lines += [
            "    # One run at a time: a further one waits.",
            "    concurrency_limit: {limit: 1, collision_strategy: ENQUEUE}",
        ]
    lines += ["    work_pool:", "      name: mlkit"]
    if variables:
        lines += ["      # One job runs the whole flow: as much as its most demanding stage wants."]
        lines += ["      job_variables:"]
        lines += [f"        {key}: {_text(value)}" for key, value in variables.items()]
    return "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    """Write a value as YAML: JSON is a part of it."""
    return json.dumps(value, ensure_ascii=False)
