"""Compile a pipeline to the objects of Argo Workflows."""

from __future__ import annotations

import json
from typing import Any

from mlkit.core.pipeline import Pipeline
from mlkit.engines.argo.dag import Dag
from mlkit.engines.argo.manifests import manifests
from mlkit.engines.argo.names import make_names
from mlkit.engines.argo.policies import refusals
from mlkit.engines.argo.templates import (
    container,
    first_image,
    mount,
    pod_volumes,
    stage_template,
    variables_of,
)
from mlkit.engines.carrying import module_text
from mlkit.engines.commands import parameter_words, value_text
from mlkit.engines.export import Export, ExportSettings
from mlkit.engines.python_text import one_line
from mlkit.engines.questions import shown_parameters, together, told_stages
from mlkit.engines.refusals import not_one_loop, refuse
from mlkit.engines.registry import ENGINES
from mlkit.engines.unrolling import unrolled

__all__ = ["compile_pipeline"]

_API = "argoproj.io/v1alpha1"
_TERM_S = 60
"""So long a container has to end its notebook and to write that down, when it is told to stop."""

Made = dict[str, Any]


def compile_pipeline(pipeline: Pipeline, settings: ExportSettings) -> Export:
    """Write the file; see `mlkit.engines.export.Compiler`.

    Raises
    ------
    UnsupportedByEngineError
        If Argo cannot do what a stage asks for.
    """
    whole = unrolled(pipeline)
    engine = ENGINES["argo"]
    refuse(engine, pipeline, not_one_loop(whole.pipeline))
    loops = dict.fromkeys(together(whole.pipeline).values())
    names = make_names(whole, pipeline.stages, loops)
    refuse(engine, pipeline, refusals(whole, names))
    dag = Dag(whole=whole, names=names)
    objects = [_config_map(pipeline, settings, names.pipeline), _template(pipeline, settings, dag)]
    if pipeline.schedule is not None:
        objects.append(_cron(pipeline, names.pipeline))
    entry = f"{names.pipeline}-workflow.yaml"
    text = manifests(_head(pipeline, entry, names.pipeline), objects)
    return Export(engine="argo", files={entry: text}, entry=entry)


def _head(pipeline: Pipeline, entry: str, name: str) -> str:
    variables = variables_of(pipeline)
    given = "".join(f" --from-literal={variable}=…" for variable in variables)
    lines = [
        f"The pipeline '{one_line(pipeline.name)}' for Argo Workflows.",
        "Made from pipeline.yaml by `mlkit export argo`: make it again instead of editing it.",
        "",
        *([f"  kubectl create secret generic {name}-environment{given}"] if variables else []),
        f"  kubectl apply -f {entry}",
        f"  argo submit --from workflowtemplate/{name}",
        "",
        "Each task runs one stage through mlkit, which keeps results, records and the cache;",
        "order, conditions, maps and retries are Argo's.",
    ]
    return "\n".join(f"# {line}".rstrip() for line in lines)


def _metadata(name: str) -> Made:
    return {"name": name}


def _config_map(pipeline: Pipeline, settings: ExportSettings, name: str) -> Made:
    """What stands in every container: what it does, and the facts of this pipeline."""
    facts = {
        "mlkit": str(settings.mlkit),
        "pipeline": str(settings.pipeline_file),
        "runs_dir": str(settings.runs_dir),
        "options": [*settings.options, *parameter_words(settings.parameters)],
        "parameters": _parameters(pipeline, settings),
        "told": told_stages(pipeline),
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(f"{name}-mlkit"),
        "data": {
            "facts.json": json.dumps(facts, indent=2, ensure_ascii=False) + "\n",
            "mlkit_task.py": module_text("argo", "mlkit_task"),
        },
    }


def _parameters(pipeline: Pipeline, settings: ExportSettings) -> dict[str, str]:
    """The parameters that may be changed when a workflow is submitted, as YAML."""
    shown = shown_parameters(pipeline, settings.parameters)
    return {name: value_text(item) for name, item in shown.items() if name.isidentifier()}


def _template(pipeline: Pipeline, settings: ExportSettings, dag: Dag) -> Made:
    name = dag.names.pipeline
    secrets = f"{name}-environment"
    given = {"run-id": "", "scheduled-at": "", **_parameters(pipeline, settings)}
    stages = [
        stage_template(pipeline, stage, template, dag.handed_on(template), secrets)
        for stage in pipeline.stages.values()
        for template in [dag.names.templates[stage.name]]
    ]
    loops = [
        {
            "name": template,
            "inputs": {"parameters": [{"name": "labels"}]},
            "dag": {"failFast": False, "tasks": list(dag.loop_tasks(loop))},
        }
        for loop, template in dag.names.loops.items()
    ]
    variables = variables_of(pipeline)
    last = {
        "name": "conclude",
        "container": container(first_image(pipeline), ["conclude"], variables, secrets),
    }
    # it looks where the stages are: where none is mounted, the runs are behind a URL
    mount(last, next(iter(pipeline.stages.values())))
    spec: Made = {
        "entrypoint": "pipeline",
        "onExit": "conclude",
        "arguments": {"parameters": [{"name": n, "value": text} for n, text in given.items()]},
        "volumes": pod_volumes(name),
        "podSpecPatch": json.dumps({"terminationGracePeriodSeconds": _TERM_S}),
        "templates": [
            {"name": "pipeline", "dag": {"failFast": False, "tasks": list(dag.tasks())}},
            *loops,
            *stages,
            last,
        ],
    }
    if settings.workers is not None:
        spec["parallelism"] = settings.workers
    return {
        "apiVersion": _API,
        "kind": "WorkflowTemplate",
        "metadata": _metadata(name),
        "spec": spec,
    }


def _cron(pipeline: Pipeline, name: str) -> Made:
    given = [{"name": "scheduled-at", "value": "{{workflow.scheduledTime}}"}]
    spec: Made = {
        "schedules": [pipeline.schedule],
        "timezone": pipeline.timezone,
        "concurrencyPolicy": "Allow" if pipeline.overlap else "Forbid",
        "workflowSpec": {
            "workflowTemplateRef": {"name": name},
            "arguments": {"parameters": given},
        },
    }
    return {"apiVersion": _API, "kind": "CronWorkflow", "metadata": _metadata(name), "spec": spec}
