"""Compile a pipeline to Dagster definitions, with the settings of an instance beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from mlkit.core.logical_date import LOGICAL_DATE, takes_logical_date
from mlkit.core.pipeline import Pipeline
from mlkit.engines.carrying import identifiers, imports, module_text
from mlkit.engines.commands import value_text
from mlkit.engines.dagster.assets import asset_specs, checked
from mlkit.engines.dagster.body import Body
from mlkit.engines.dagster.policies import cron_strings, schedule_refusals
from mlkit.engines.export import Export, ExportSettings
from mlkit.engines.python_text import (
    assign,
    call,
    formatted,
    listing,
    literal,
    mapping,
    one_line,
    usage,
    value,
)
from mlkit.engines.refusals import Refusal, long_name, not_one_loop, refuse
from mlkit.engines.registry import ENGINES
from mlkit.engines.unrolling import unrolled

__all__ = ["compile_pipeline"]

_IMPORTS = """
from dagster import Definitions, DynamicOut, OpExecutionContext, ScheduleDefinition
from dagster import TimeWindowPartitionsDefinition, build_schedule_from_partitioned_job
from dagster import job, multiprocess_executor, op
from mlkit_dagster import DONE, ENDED, FAILED, Mlkit, Retries, Stage, after, artifacts
from mlkit_dagster import checks, chosen, failed_for_good, gathered, main, mapped, ways
"""
"""What the definitions may import; the last module stands beside them."""

_OWN = {"ASSETS", "INTERVALS", "ITEMS", "SCHEDULE", "Settings", "defs", "found"}

_MOST_NAME = 200
"""Dagster keeps files that are called after an op, and a bit longer; a file has 255 at most."""

RUN_TAG = "mlkit/pipeline"
"""By it Dagster counts the runs of a pipeline."""


def compile_pipeline(pipeline: Pipeline, settings: ExportSettings) -> Export:
    """Compile a pipeline; see `mlkit.engines.export.Compiler`."""
    engine = ENGINES["dagster"]
    dated = takes_logical_date(pipeline) and LOGICAL_DATE not in settings.parameters
    refuse(engine, pipeline, schedule_refusals(pipeline, dated=dated))
    whole = unrolled(pipeline)
    refuse(engine, pipeline, not_one_loop(whole.pipeline))
    body = Body(source=pipeline, whole=whole, reserved=identifiers([_IMPORTS]) | _OWN)
    refuse(engine, pipeline, _long_names(pipeline, body))
    entry = f"{body.job_name}_definitions.py"
    files = {
        entry: _definitions(pipeline, settings, body, dated=dated),
        "mlkit_dagster.py": module_text("dagster", "mlkit_dagster"),
        "dagster.yaml": _instance(pipeline, body),
    }
    return Export(engine="dagster", files=files, entry=entry)


def _long_names(pipeline: Pipeline, body: Body) -> Iterator[Refusal]:
    yield from long_name(None, body.job_name, _MOST_NAME)
    for name, made in body.names.items():
        stage = pipeline.stages[body.whole.stage_of(name)]
        yield from long_name(stage, made, _MOST_NAME)


def _definitions(pipeline: Pipeline, settings: ExportSettings, body: Body, *, dated: bool) -> str:
    own = "\n\n\n".join(body.ops())
    job = body.job(_job_arguments(pipeline, settings, body, dated=dated))
    parts = [_constants(settings, body, dated=dated), own]
    parts += [_intervals(pipeline)] if dated and pipeline.schedule is not None else []
    parts += [job, _assets(pipeline, body), *_schedule(pipeline, body, dated=dated)]
    parts += [_whole(pipeline, body), f'if __name__ == "__main__":\n    main({body.job_name})']
    code = "\n\n\n".join(parts)
    return formatted(f"{_head(pipeline, body)}\n\n{imports(code, _IMPORTS)}\n\n{code}\n")


def _head(pipeline: Pipeline, body: Body) -> str:
    file = f"{body.job_name}_definitions.py"
    commands = {
        f"python {file}": "run it once, in this process",
        f"DAGSTER_HOME=$PWD dagster dev -f {file}": "Dagster's page, daemon and schedules",
    }
    title = f"The pipeline '{one_line(pipeline.name)}' as a Dagster job, its artifacts as assets."
    return f'''"""{title}

Made from pipeline.yaml by `mlkit export dagster`: make it again instead of editing it.

{usage(commands)}
"""'''


def _constants(settings: ExportSettings, body: Body, *, dated: bool) -> str:
    texts = {name: literal(value_text(item)) for name, item in settings.parameters.items()}
    facts = {
        "command: str": literal(str(settings.mlkit)),
        "pipeline: str": literal(str(settings.pipeline_file)),
        "runs_dir: str": literal(str(settings.runs_dir)),
    }
    if settings.options:
        facts["options: list[str]"] = value(list(settings.options))
    if texts:
        facts["parameters: dict[str, str]"] = mapping(texts)
    if dated:
        facts["takes_logical_date: bool"] = "True"
    lines = [
        "class Settings(Mlkit):",
        '    """Where mlkit, the pipeline and its runs are; a run may be given others."""',
        "",
        *(assign(name, text, 1) for name, text in facts.items()),
    ]
    items = body.items()
    if items:
        lines += [
            "",
            "# The values of instances that have an op of their own, since others wait for them",
            "# alone.",
            assign("ITEMS", value(items)),
        ]
    return "\n".join(lines)


def _job_arguments(
    pipeline: Pipeline, settings: ExportSettings, body: Body, *, dated: bool
) -> dict[str, str]:
    named = {
        "resource_defs": '{"mlkit": Settings.configure_at_launch()}',
        "tags": value({RUN_TAG: body.job_name}),
    }
    if pipeline.description.strip():
        named["description"] = literal(" ".join(pipeline.description.split()))
    if dated and pipeline.schedule is not None:
        named["partitions_def"] = "INTERVALS"
    if settings.workers is not None:
        limit = value({"max_concurrent": settings.workers})
        named["executor_def"] = call("multiprocess_executor.configured", limit)
    return named


def _intervals(pipeline: Pipeline) -> str:
    (cron,), zone = cron_strings(pipeline)
    form = "%Y-%m-%dT%H:%M:%S%z"
    made = call(
        "TimeWindowPartitionsDefinition",
        start=literal("2013-01-01T00:00:00+0000"),
        fmt=literal(form),
        cron_schedule=literal(cron),
        timezone=literal(zone),
    )
    why = "# Stages ask for the start of the interval that a run is for."
    return "\n".join([why, assign("INTERVALS", made)])


def _assets(pipeline: Pipeline, body: Body) -> str:
    specs = listing(asset_specs(pipeline, body.job_name))
    why = "# The job's ops say when they have made one, and where it is."
    return "\n".join([why, assign("ASSETS", specs)])


def _schedule(pipeline: Pipeline, body: Body, *, dated: bool) -> list[str]:
    if pipeline.schedule is None:
        return []
    if dated:
        made = call("build_schedule_from_partitioned_job", body.job_name)
        return [assign("SCHEDULE", made)]
    crons, zone = cron_strings(pipeline)
    cron = literal(crons[0]) if len(crons) == 1 else value(crons)
    named = {"job": body.job_name, "cron_schedule": cron, "execution_timezone": literal(zone)}
    return [assign("SCHEDULE", call("ScheduleDefinition", **named))]


def _whole(pipeline: Pipeline, body: Body) -> str:
    named = {"assets": "ASSETS"}
    judged = {name: checked(pipeline, stage) for name, stage in pipeline.stages.items()}
    made = [
        f"*{call('checks', literal(body.names[name]), literal(name), value(list(map(list, keys))))}"
        for name, keys in judged.items()
        if keys
    ]
    if made:
        named |= {
            "asset_checks": listing(made),
            "resources": '{"mlkit": Settings.configure_at_launch()}',
        }
    named["jobs"] = listing([body.job_name])
    if pipeline.schedule is not None:
        named["schedules"] = "[SCHEDULE]"
    return assign("defs", call("Definitions", **named))


def _instance(pipeline: Pipeline, body: Body) -> str:
    """Write `dagster.yaml`: how many runs of the pipeline there are at once."""
    lines = [
        "# The settings of a Dagster instance: those of DAGSTER_HOME.",
        "telemetry:",
        "  enabled: false",
        "nux:",
        "  enabled: false",
    ]
    if not pipeline.overlap:
        lines += [
            "# One run of the pipeline at a time: a further one waits.",
            "concurrency:",
            "  runs:",
            "    tag_concurrency_limits:",
            f"      - key: {RUN_TAG}",
            f"        value: {json.dumps(body.job_name)}",
            "        limit: 1",
        ]
    return "\n".join(lines) + "\n"
