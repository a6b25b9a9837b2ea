"""Compile a pipeline to a Kubeflow Pipelines file. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

from mlkit.core.cron import cron_fields, parse_cron
from mlkit.core.pipeline import Pipeline
from mlkit.engines.carrying import carried, identifiers, imports, module_text
from mlkit.engines.commands import assignments
from mlkit.engines.export import Export, ExportSettings
from mlkit.engines.kubeflow.body import Body
from mlkit.engines.kubeflow.components import first_image, run_arguments
from mlkit.engines.kubeflow.layout import lay_out
from mlkit.engines.kubeflow.names import Names, kfp_name, make_names
from mlkit.engines.kubeflow.policies import refusals
from mlkit.engines.python_text import (
    assign,
    call,
    decorate,
    formatted,
    listing,
    literal,
    mapping,
    one_line,
    usage,
    value,
    write,
)
from mlkit.engines.questions import told_stages
from mlkit.engines.refusals import not_one_loop, refuse
from mlkit.engines.registry import ENGINES
from mlkit.engines.unrolling import unrolled

__all__ = ["compile_pipeline", "cron_with_seconds"]

_OWN_IMPORTS = """
import sys
from functools import partial
from typing import NamedTuple
from kfp import dsl, kubernetes
"""
_CALL_MLKIT = ("facts", "mlkit_words", "recorded", "describe", "run_stage")
"""What is sent along with every component that calls mlkit."""

_COMPONENTS = {
    "tell_people": "component",
    **dict.fromkeys(
        ("read_value", "read_instances", "conditions_hold", "wait_for_file", "no_branch"),
        "small_component",
    ),
    "fetch_value": "read_value",
    "fetch_instances": "read_instances",
    "fetched_hold": "conditions_hold",
}
"""The functions that are components by themselves, and what makes each of them one: a decorator, or
the function to which it hands what mlkit has fetched."""


def compile_pipeline(pipeline: Pipeline, settings: ExportSettings) -> Export:
    """Write the files.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    settings : ExportSettings
        Where mlkit, the pipeline and its runs are.

    Raises
    ------
    UnsupportedByEngineError
        If kfp cannot do what a stage asks for.
    """
    whole = unrolled(pipeline)
    refuse(ENGINES["kubeflow"], pipeline, not_one_loop(whole.pipeline))
    layout = lay_out(whole.pipeline)
    refuse(ENGINES["kubeflow"], pipeline, refusals(whole, layout))
    module = module_text("kubeflow", "mlkit_components")
    reserved = {*identifiers([module, _OWN_IMPORTS]), "component", "small_component"}
    names = make_names(pipeline.name, {**whole.pipeline.stages, **pipeline.stages}, reserved)
    body = Body(
        whole=whole,
        layout=layout,
        names=names,
        workers=settings.workers,
        remote=isinstance(settings.runs_dir, str),
    )
    function = _function(pipeline, settings, names, body)
    ending = f"sys.exit({call('main', names.function, '__file__')})"
    own = [*body.components(), function, f'if __name__ == "__main__":\n    {ending}']
    text = _assembled(module, _facts(pipeline, settings), "\n\n\n".join(own), pipeline)
    entry = f"{kfp_name(pipeline.name).replace('-', '_')}_pipeline.py"
    files = {entry: formatted(f"{_head(pipeline, entry)}\n\n{text}")}
    if pipeline.schedule is not None:
        files["recurring-run.json"] = json.dumps(_recurring(pipeline, entry), indent=2) + "\n"
    return Export(engine="kubeflow", files=files, entry=entry)


def _head(pipeline: Pipeline, entry: str) -> str:
    commands = {
        f"python {entry}": "compile it to YAML",
        f"python {entry} run": "run it on this machine, in this Python",
        f"python {entry} submit URL": "hand it to a cluster, and wait for its end",
        f"python {entry} submit URL --recurring": "have it run there on its schedule",
    }
    return f'''"""The pipeline {one_line(pipeline.name)} for Kubeflow Pipelines.

Each task runs one stage through mlkit, which keeps results, records and the cache;
order, branches, loops and retries are kfp's.

{usage(commands)}
"""'''


def _assembled(module: str, facts: str, own: str, pipeline: Pipeline) -> str:
    """Imports, the functions that are carried, their components, and what is the pipeline's own."""
    calls = listing(_CALL_MLKIT)
    copied = carried(module, f"{facts}\n{own}\n{calls}")
    plain = call(
        "partial",
        "dsl.component",
        base_image=literal(first_image(pipeline)),
        install_kfp_package="False",
        packages_to_install="[]",
    )
    components = [
        assign("small_component", plain),
        assign("component", call("partial", "small_component", additional_funcs=calls)),
        *(
            assign(name, _component(name, kind))
            for name, kind in _COMPONENTS.items()
            if re.search(rf"\b{name}\(", own)
        ),
    ]
    code = "\n\n\n".join([facts, copied, "\n".join(components), own])
    return f"{imports(code, module, _OWN_IMPORTS)}\n\n\n{code}\n"


def _component(name: str, kind: str) -> str:
    """The call that makes a function a component."""
    if kind.endswith("component"):
        return call(kind, name)
    carried_along = listing(["facts", "mlkit_words", "fetched", kind])
    return call("small_component", name, additional_funcs=carried_along)


def _facts(pipeline: Pipeline, settings: ExportSettings) -> str:
    known = {
        "mlkit": str(settings.mlkit),
        "pipeline": str(settings.pipeline_file),
        "runs_dir": str(settings.runs_dir),
        "options": list(settings.options),
        "notifies": bool(told_stages(pipeline)),
    }
    return "\n".join(
        [
            "def facts() -> dict[str, Any]:",
            '    """Where the tasks find what, and how they call mlkit."""',
            write(value(known), before="return ", indent=1),
        ]
    )


def _function(pipeline: Pipeline, settings: ExportSettings, names: Names, body: Body) -> str:
    given = {"name": literal(kfp_name(pipeline.name))}
    if pipeline.description:
        given["description"] = literal(" ".join(pipeline.description.split()))
    parameters = f"parameters: list = {value(assignments(settings.parameters))}"
    run = run_arguments(pipeline)
    head = [
        decorate(call("dsl.pipeline", **given)),
        write(call(names.function, 'run_id: str = ""', parameters), before="def ", after=":"),
        assign("run", mapping(run), 1),
        "",
    ]
    told = told_stages(pipeline)
    if told:
        known = {name: run[name] for name in ("run_id", "parameters", "job_id")}
        head.append(assign("tell_task", call("tell_people", stages=value(told), **known), 1))
        head.append("    with dsl.ExitHandler(tell_task):")
    lines = body.write("        " if told else "    ")
    tasks = [*(["tell_task"] if told else []), *body.tasks]
    return "\n".join(
        [
            *head,
            *lines,
            "",
            f"    for task in ({', '.join(tasks)},):",
            "        task.set_caching_options(False)  # mlkit knows what is unchanged",
        ]
    )


def _recurring(pipeline: Pipeline, entry: str) -> dict[str, Any]:
    """What `kfp.Client.create_recurring_run` is called with, beside the experiment."""
    assert pipeline.schedule is not None
    return {
        "job_name": kfp_name(pipeline.name),
        "cron_expression": cron_with_seconds(pipeline.schedule),
        "pipeline_package_path": entry.replace(".py", ".yaml"),
        "max_concurrency": 10 if pipeline.overlap else 1,  # more it does not take
        "no_catchup": True,
        "enable_caching": False,
    }


def cron_with_seconds(expression: str) -> str:
    """Turn a cron expression of five fields into the six that Kubeflow Pipelines reads.

    The first of them are the seconds. Sunday is 0 there, never 7.
    """
    *fields, days = cron_fields(expression)
    if "7" in days:
        days = ",".join(map(str, sorted(parse_cron(expression).weekdays)))
    return " ".join(["0", *fields, days])
