"""Write a pipeline as an Airflow DAG file."""

from __future__ import annotations

from mlkit.core.pipeline import Pipeline
from mlkit.engines.airflow import functions
from mlkit.engines.airflow.body import Body
from mlkit.engines.airflow.plan import Plan, plan_of
from mlkit.engines.commands import parameter_words
from mlkit.engines.export import Export, ExportSettings
from mlkit.engines.python_text import assign, call, formatted, literal, value
from mlkit.engines.refusals import refuse_single_instances
from mlkit.engines.registry import ENGINES

__all__ = ["AirflowCompiler"]

_DAG = "airflow.sdk"


class AirflowCompiler:
    """Compiles to one file for Airflow's folder of DAGs."""

    def compile(self, pipeline: Pipeline, settings: ExportSettings) -> Export:
        """Compile a pipeline; see `mlkit.engines.export.Compiler`."""
        refuse_single_instances(ENGINES["airflow"], pipeline)
        plan = plan_of(pipeline, settings)
        body = Body(plan)
        parts = [
            _head(plan),
            _imports(plan, body),
            _constants(plan, settings),
            *(part.strip("\n") for part in _functions(plan)),
            *body.functions(),
            body.dag(),
        ]
        name = f"{plan.dag_id}.py"
        text = f"{parts[0]}\n\n{parts[1]}\n\n{parts[2]}\n\n\n" + "\n\n\n".join(parts[3:])
        return Export(engine="airflow", files={name: formatted(text)}, entry=name)


def _head(plan: Plan) -> str:
    title = plan.pipeline.description or f"The pipeline {plan.pipeline.name}."
    lines = [
        f'"""{_one_line(title)}',
        "",
        "mlkit made this file from the pipeline named below. Each task runs one notebook, by a",
        "call of mlkit, which keeps artifacts, cache and records. Airflow schedules, retries,",
        "branches and maps.",
    ]
    if plan.has("sensor"):
        lines[-1] += " The sensors need the connection `fs_default`."
    return "\n".join([*lines, '"""'])


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace('"', "'")


def _imports(plan: Plan, body: Body) -> str:
    """The imports that the file uses, in isort's order."""
    names = ["Context", "dag", "get_current_context", "task"]
    if plan.dated:
        names.insert(1, "CronDataIntervalTimetable")
    lines = [
        "from __future__ import annotations",
        "",
        "import json",
        "import os",
        "import re",
        "import subprocess",
        *(["from datetime import timedelta"] if body.uses_durations else []),
        "from pathlib import Path",
        "from typing import Any",
        "",
        "import pendulum",
    ]
    if plan.has("gate"):
        lines.append("from airflow.providers.standard.operators.empty import EmptyOperator")
    if plan.has("sensor"):
        lines.append("from airflow.providers.standard.sensors.filesystem import FileSensor")
    lines += [
        f"from {_DAG} import {', '.join(names)}",
        f"from {_DAG}.exceptions import AirflowFailException, AirflowSkipException",
    ]
    if plan.has_pods:
        lines.append("from kubernetes.client import models as k8s")
    return "\n".join(lines)


def _constants(plan: Plan, settings: ExportSettings) -> str:
    words = [*parameter_words(settings.parameters), *settings.options]
    lines = [
        assign("MLKIT", literal(str(settings.mlkit))),
        assign("PIPELINE", literal(str(settings.pipeline_file))),
        assign("RUNS", call("Path", literal(str(settings.runs_dir)))),
        assign("PARAMETERS", value(plan.parameters)),
        assign("OPTIONS", value(words)),
    ]
    return "\n".join(lines)


def _functions(plan: Plan) -> list[str]:
    """The functions beside the tasks, each only if something calls it."""
    options = functions.PARAMETERS_OF
    if plan.dated:
        end = "    return words\n"
        options = options.replace(end, functions.INTERVAL.lstrip("\n") + end)
    parts = [functions.RUN_ID, functions.CALL_MLKIT, options, functions.RUN_STAGE]
    if plan.has("branch") or plan.has("values"):
        parts.append(functions.READ_ARTIFACT)
    if plan.has("branch"):
        parts.append(functions.HOLDS)
    if plan.has("values"):
        parts.append(functions.ESCAPED)
    if plan.tells:
        parts.append(functions.TELL)
    if plan.has("sensor"):
        parts.append(functions.RECORD_TIMEOUT)
    if plan.has_pods:
        parts.append(functions.POD)
    return parts
