"""Compile a pipeline to a state machine, with its worker beside it."""

from __future__ import annotations

import json
import re
from typing import Any

from mlkit.core.pipeline import Pipeline
from mlkit.engines.carrying import module_text
from mlkit.engines.commands import parameter_words
from mlkit.engines.export import Export, ExportSettings
from mlkit.engines.python_text import assign, call, formatted, literal, one_line, usage, value
from mlkit.engines.refusals import Refusal, long_name, not_one_loop, refuse
from mlkit.engines.registry import ENGINES
from mlkit.engines.stepfunctions.policies import refusals
from mlkit.engines.stepfunctions.schedule import schedule_refusals, schedule_text
from mlkit.engines.stepfunctions.states import StateMachine
from mlkit.engines.unrolling import unrolled

__all__ = ["compile_pipeline", "machine_name"]

_MOST_NAME = 80
"""Characters of the name of a state machine, and of a state."""

_MOST_BYTES = 1_048_576
"""Of a definition."""

_ACTIVITY = "arn:aws:states:us-east-1:000000000000:activity:"
"""Where the activity is, is known when it has been made: the worker puts its own in place."""

_ROLE = "arn:aws:iam::000000000000:role/scheduler"


def machine_name(pipeline: Pipeline) -> str:
    """What Step Functions calls the pipeline: letters, digits, `-` and `_`."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", pipeline.name)


def compile_pipeline(pipeline: Pipeline, settings: ExportSettings) -> Export:
    """Compile a pipeline.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    settings : ExportSettings
        Where mlkit and the runs are, and the parameters given.

    Raises
    ------
    UnsupportedByEngineError
        If Step Functions cannot express it.
    """
    engine, name = ENGINES["stepfunctions"], machine_name(pipeline)
    refuse(engine, pipeline, long_name(None, name, _MOST_NAME))
    refuse(engine, pipeline, not_one_loop(pipeline))
    refuse(engine, pipeline, refusals(pipeline))
    refuse(engine, pipeline, schedule_refusals(pipeline))
    whole = unrolled(pipeline)
    for each, stage in whole.pipeline.stages.items():
        own = pipeline.stages[whole.stage_of(each)]
        refuse(engine, pipeline, long_name(own, stage.name, _MOST_NAME))
    definition = StateMachine(whole, _ACTIVITY + name, settings.workers).document()
    text = json.dumps(definition, indent=2, ensure_ascii=False) + "\n"
    if len(text.encode()) > _MOST_BYTES:
        refuse(engine, pipeline, [_too_large(len(text.encode()))])
    entry = f"{name}.asl.json"
    files = {
        entry: text,
        f"{name}_worker.py": _worker(pipeline, settings, name),
        "mlkit_worker.py": module_text("stepfunctions", "mlkit_worker"),
    }
    if pipeline.schedule is not None:
        machine = f"{_ACTIVITY}{name}".replace(":activity:", ":stateMachine:")
        files[f"{name}.schedule.json"] = schedule_text(pipeline, name, machine, _ROLE)
    return Export(engine=engine.name, files=files, entry=entry)


def _too_large(size: int) -> Refusal:
    return Refusal(
        stage=None,
        fact=f"its definition has {size} bytes, and {_MOST_BYTES} are the most",
        remedy="Let a list stand in an artifact, so that one state maps over it",
    )


def _worker(pipeline: Pipeline, settings: ExportSettings, name: str) -> str:
    facts: dict[str, Any] = {
        "machine": name,
        "definition": f"{name}.asl.json",
        "activity": _ACTIVITY + name,
        "schedule": pipeline.schedule and f"{name}.schedule.json",
        "mlkit": str(settings.mlkit),
        "file": str(settings.pipeline_file),
        "runs_dir": str(settings.runs_dir),
        "workers": settings.workers,
        "options": [*settings.options, *parameter_words(settings.parameters)],
    }
    file = f"{name}_worker.py"
    commands = {
        f"python {file} deploy --role ARN": "make the state machine, or bring it up to date",
        f"python {file} work": "take its tasks, until you stop it",
        f"python {file} run": "run it once, and work for that",
    }
    known = {key: value(item) for key, item in facts.items() if item}
    return formatted(
        f'''"""The worker of the pipeline '{one_line(pipeline.name)}' on AWS Step Functions.

Made from pipeline.yaml by `mlkit export stepfunctions`: make it again instead of editing it.

{usage(commands)}
"""

from mlkit_worker import Pipeline, main

{assign("PIPELINE", call("Pipeline", **known))}

if __name__ == {literal("__main__")}:
    main(PIPELINE)
'''
    )
