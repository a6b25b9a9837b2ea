"""Compile a pipeline to a Kubeflow Pipelines file. Pure."""

from __future__ import annotations

import json

from mlkit.core.pipeline import Pipeline
from mlkit.engines.commands import value_text
from mlkit.engines.export import Export, ExportSettings
from mlkit.engines.kubeflow import embedded, policies
from mlkit.engines.kubeflow.body import Body
from mlkit.engines.kubeflow.components import (
    first_image,
    handed,
    is_dated,
    small_components,
    stage_component,
)
from mlkit.engines.kubeflow.layout import Layout, lay_out
from mlkit.engines.kubeflow.names import Names, kfp_name, make_names, module_name
from mlkit.engines.kubeflow.programs import RUN_LOCALLY, SUBMIT, launcher
from mlkit.engines.kubeflow.recurring import recurring_run
from mlkit.engines.kubeflow.writing import INDENT, Argument, call, literal, quoted
from mlkit.engines.python_text import formatted, write

__all__ = ["KubeflowCompiler"]


class KubeflowCompiler:
    """Pipeline → `NAME.py`, its recurring-run settings, and the two ways to start it."""

    def compile(self, pipeline: Pipeline, settings: ExportSettings) -> Export:
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
        layout = lay_out(pipeline)
        policies.check(pipeline, layout)
        names = make_names(pipeline.name, pipeline.stages)
        module = module_name(pipeline.name)
        place = {"name": kfp_name(pipeline.name), "module": module, "function": names.function}
        files = {
            f"{module}.py": formatted(_module(pipeline, settings, names, layout)),
            "run_locally.py": launcher(RUN_LOCALLY, **place),
            "submit.py": launcher(SUBMIT, **place),
        }
        if pipeline.schedule is not None:
            document = recurring_run(pipeline, f"{module}.yaml")
            files["recurring-run.json"] = json.dumps(document, indent=2) + "\n"
        return Export(engine="kubeflow", files=files, entry=f"{module}.py")


def _module(pipeline: Pipeline, settings: ExportSettings, names: Names, layout: Layout) -> str:
    body = Body(pipeline=pipeline, layout=layout, names=names, workers=settings.workers)
    told = _told(pipeline)
    stages = _stages(pipeline, layout, names, body)
    function = _function(pipeline, settings, names, body)
    parts = [
        _head(pipeline, stages),
        _decorators(pipeline, body),
        _filled(embedded.RUN_STAGE, pipeline, settings),
        *small_components(sorted(body.small)),
        *(
            [["@small_component", *_filled(embedded.TELL_PEOPLE, pipeline, settings)]]
            if told
            else []
        ),
        *stages,
        function,
        _main(pipeline, names),
    ]
    first, second, third, *rest = ["\n".join(part).rstrip() for part in parts]
    return "\n\n\n".join([f"{first}\n\n\n{third}", second, *rest]) + "\n"


def _head(pipeline: Pipeline, stages: list[list[str]]) -> list[str]:
    lists = any("List[str]" in line for lines in stages for line in lines)
    lines = [
        f'"""The pipeline {_one_line(pipeline.name)} for Kubeflow Pipelines.',
        "",
        "Each task runs one stage through mlkit, which keeps results, records and the cache;",
        "order, branches, loops and retries are kfp's. `python THIS_FILE` compiles it to YAML.",
        '"""',
        "",
        "from functools import partial",
        f"from typing import {'List, ' if lists else ''}NamedTuple",
        "",
    ]
    kubernetes = ["from kfp import compiler, dsl, kubernetes"]
    plain = ["from kfp import compiler, dsl"]
    return [*lines, *(kubernetes if policies.needs_kubernetes(pipeline) else plain)]


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("\\", "/").replace('"""', "'''")


def _decorators(pipeline: Pipeline, body: Body) -> list[str]:
    common = ["dsl.component", f"base_image={quoted(first_image(pipeline))}"]
    common += ["install_kfp_package=False", "packages_to_install=[]"]
    lines = call("small_component = partial", common) if body.small or _told(pipeline) else []
    return [*lines, *call("component = partial", [*common, "additional_funcs=[run_stage]"])]


def _filled(text: str, pipeline: Pipeline, settings: ExportSettings) -> list[str]:
    """An embedded function with the places of this export."""
    dated = is_dated(pipeline)
    # a run that was started under an id of its own is not the schedule's
    scheduled = f'{INDENT * 2}"MLKIT_ENGINE_SCHEDULED": "" if run_id else scheduled_at,\n'
    words = literal(list(settings.options))
    given = write(words, before="command += ", indent=1) + "\n" if settings.options else ""
    notifies = f'{INDENT * 2}"MLKIT_ENGINE_NOTIFIES": "1",\n' if _told(pipeline) else ""
    values = {
        "@MLKIT@": quoted(str(settings.mlkit)),
        "@PIPELINE@": quoted(str(settings.pipeline_file)),
        "@RUNS_DIR@": quoted(str(settings.runs_dir)),
        "@OPTIONS@": given,
        "@NOTIFIES@": notifies,
        "@SCHEDULED_ARGUMENT@": f'{INDENT}scheduled_at: str = "",\n' if dated else "",
        "@SCHEDULED@": scheduled if dated else "",
    }
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text.rstrip().split("\n")


def _told(pipeline: Pipeline) -> tuple[str, ...]:
    """The stages of whose end people are told."""
    return tuple(
        stage.name
        for stage in pipeline.stages.values()
        if stage.notify.on_failure or stage.notify.on_success
    )


def _stages(pipeline: Pipeline, layout: Layout, names: Names, body: Body) -> list[list[str]]:
    return [
        stage_component(
            pipeline, names, stage, handed(pipeline, layout, stage), len(body.taken(stage))
        )
        for stage in pipeline.stages.values()
    ]


def _function(pipeline: Pipeline, settings: ExportSettings, names: Names, body: Body) -> list[str]:
    given = [f"name={quoted(kfp_name(pipeline.name))}"]
    if pipeline.description:
        given.append(f"description={quoted(_one_line(pipeline.description))}")
    parameters = ("parameters: list = ", literal(_assignments(settings)))
    arguments: list[Argument] = ['run_id: str = ""', parameters]
    lines = [*call("@dsl.pipeline", given), *call(f"def {names.function}", arguments, ":")]
    lines += [
        f"{INDENT}run = {{",
        f'{INDENT * 2}"run_id": run_id,',
        f'{INDENT * 2}"parameters": parameters,',
        f'{INDENT * 2}"job_id": dsl.PIPELINE_JOB_ID_PLACEHOLDER,',
        f'{INDENT * 2}"task_id": dsl.PIPELINE_TASK_ID_PLACEHOLDER,',
        *_scheduled_at(pipeline),
        f"{INDENT}}}",
        "",
    ]
    told = _told(pipeline)
    if told:
        arguments = [("stages=", literal(told)), "run_id=run_id", "parameters=parameters"]
        arguments.append("job_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER")
        lines += call(f"{INDENT}tell_task = tell_people", arguments)
        lines.append(f"{INDENT}with dsl.ExitHandler(tell_task):")
    lines += body.write(INDENT * 2 if told else INDENT)
    lines.append("")
    lines += _loop_head(["tell_task", *body.tasks] if told else body.tasks)
    return [*lines, f"{INDENT * 2}task.set_caching_options(False)  # mlkit knows what is unchanged"]


def _scheduled_at(pipeline: Pipeline) -> list[str]:
    line = f'{INDENT * 2}"scheduled_at": dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER,'
    return [line] if is_dated(pipeline) else []


def _loop_head(tasks: list[str]) -> list[str]:
    """`for task in (…):` as a tuple, also of one."""
    if len(tasks) == 1:
        return [f"{INDENT}for task in ({tasks[0]},):"]
    return call(f"{INDENT}for task in ", tasks, ":")


def _assignments(settings: ExportSettings) -> list[str]:
    return [f"{name}:={value_text(value)}" for name, value in settings.parameters.items()]


def _main(pipeline: Pipeline, names: Names) -> list[str]:
    target = '__file__.removesuffix(".py") + ".yaml"'
    lines = call(f"{INDENT}compiler.Compiler().compile", [names.function, target])
    return ['if __name__ == "__main__":', *lines]
