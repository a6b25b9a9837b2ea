"""Write a pipeline as an Airflow DAG file."""

from __future__ import annotations

from mlkit.core.logical_date import LOGICAL_DATE, takes_logical_date
from mlkit.core.pipeline import Pipeline
from mlkit.core.values import encode
from mlkit.engines.airflow.body import Body
from mlkit.engines.airflow.policies import dag_id, long_names, refusals
from mlkit.engines.carrying import carried, identifiers, imports, module_text
from mlkit.engines.commands import parameter_words
from mlkit.engines.export import Export, ExportSettings
from mlkit.engines.python_text import assign, formatted, literal, one_line, value
from mlkit.engines.questions import shown_parameters
from mlkit.engines.refusals import refuse
from mlkit.engines.registry import ENGINES
from mlkit.engines.unrolling import unrolled

__all__ = ["compile_pipeline"]

_OWN_IMPORTS = """
import pendulum
from datetime import timedelta
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.sdk import CronDataIntervalTimetable, CronTriggerTimetable
from airflow.sdk import TaskGroup, dag, task, task_group
from functools import partial
"""
_MAPS = """

A list in an artifact may have as many values as Airflow maps over: 1024, unless its
setting `max_map_length` in the section `core` says otherwise."""


def compile_pipeline(pipeline: Pipeline, settings: ExportSettings) -> Export:
    """Compile a pipeline; see `mlkit.engines.export.Compiler`."""
    whole = unrolled(pipeline)
    refuse(ENGINES["airflow"], pipeline, refusals(whole))
    module = module_text("airflow", "mlkit_dag")
    dated = takes_logical_date(pipeline) and LOGICAL_DATE not in settings.parameters
    body = Body(
        whole=whole,
        workers=settings.workers,
        dated=dated,
        remote=isinstance(settings.runs_dir, str),
        reserved=identifiers([module, _OWN_IMPORTS]),
    )
    constants = _constants(pipeline, settings, dated=dated)
    refuse(ENGINES["airflow"], pipeline, long_names(whole, body.tasks, body.loops))
    own = "\n\n\n".join([*body.functions(), body.dag()])
    copied = carried(module, own)
    head = f"{_head(pipeline)}\n\nfrom __future__ import annotations\n"
    needed = imports("\n".join([constants, copied, own]), module, _OWN_IMPORTS)
    text = f"{head}\n{needed}\n\n{constants}\n\n\n{copied}\n\n\n{own}\n"
    name = f"{dag_id(pipeline)}.py"
    return Export(engine="airflow", files={name: formatted(text)}, entry=name)


def _head(pipeline: Pipeline) -> str:
    title = one_line(pipeline.description or f"The pipeline {pipeline.name}.")
    needs = any(stage.wait_for is not None for stage in pipeline.stages.values())
    sensors = " The sensors need the connection `fs_default`." if needs else ""
    over_artifacts = any(
        stage.foreach is not None and stage.foreach.size is None
        for stage in pipeline.stages.values()
    )
    maps = _MAPS if over_artifacts else ""
    return f'''"""{title}

mlkit made this file from the pipeline named below. Each task runs one notebook, by a
call of mlkit, which keeps artifacts, cache and records. Airflow schedules, retries,
branches and maps.{sensors}{maps}
"""'''


def _constants(pipeline: Pipeline, settings: ExportSettings, *, dated: bool) -> str:
    shown = shown_parameters(pipeline, settings.parameters)
    plain = {name: item for name, item in shown.items() if encode(item) == item}
    words = [*parameter_words(settings.parameters), *settings.options]
    lines = [
        assign("MLKIT", literal(str(settings.mlkit))),
        assign("PIPELINE", literal(str(settings.pipeline_file))),
        assign("RUNS", literal(str(settings.runs_dir))),
        assign("PARAMETERS", value(plain)),
        assign("OPTIONS", value(words)),
        assign("DATED", f"{dated}  # whether stages ask for the start of their interval"),
    ]
    return "\n".join(lines)
