"""Compile a pipeline to a Prefect flow, with its deployment beside it."""

from __future__ import annotations

from mlkit.core.logical_date import takes_logical_date
from mlkit.core.pipeline import Pipeline
from mlkit.engines.carrying import imports, module_text
from mlkit.engines.commands import parameter_words
from mlkit.engines.export import Export, ExportSettings
from mlkit.engines.prefect.deployment import deployment_files
from mlkit.engines.prefect.flow import flow_text
from mlkit.engines.prefect.names import (
    IMPORTS,
    FlowNames,
    flow_names,
    flow_order,
    parameter_specs,
)
from mlkit.engines.prefect.policies import refusals
from mlkit.engines.prefect.tasks import retry_policies, task_texts
from mlkit.engines.python_text import (
    assign,
    call,
    formatted,
    literal,
    mapping,
    one_line,
    value,
)
from mlkit.engines.refusals import refuse
from mlkit.engines.registry import ENGINES

__all__ = ["PrefectCompiler"]

_BESIDE = ("mlkit_stages", "mlkit_upstream")
"""The modules that stand beside the flow."""


class PrefectCompiler:
    """Writes a flow, what its tasks have in common, and `prefect.yaml`."""

    def compile(self, pipeline: Pipeline, settings: ExportSettings) -> Export:
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
            If Prefect cannot express it.
        """
        refuse(ENGINES["prefect"], pipeline, refusals(pipeline))
        specs = parameter_specs(pipeline, settings.parameters)
        names = flow_names(pipeline, specs)
        entry = f"{names.flow}_flow.py"
        files = {
            entry: _flow_file(pipeline, settings, names),
            **{f"{module}.py": module_text("prefect", module) for module in _BESIDE},
            **deployment_files(pipeline, names),
        }
        return Export(engine="prefect", files=files, entry=entry)


def _flow_file(pipeline: Pipeline, settings: ExportSettings, names: FlowNames) -> str:
    specs = parameter_specs(pipeline, settings.parameters)
    tasks = [text for stage in flow_order(pipeline) for text in task_texts(pipeline, stage, names)]
    body = [
        _constants(pipeline, settings, set(specs)),
        *tasks,
        flow_text(pipeline, names, specs, settings.parameters),
        f'if __name__ == "__main__":\n    main({names.flow}, PIPELINE)',
    ]
    code = "\n\n\n".join(body)
    return formatted(f"{_head(pipeline, names)}\n\n{imports(code, IMPORTS)}\n\n{code}\n")


def _head(pipeline: Pipeline, names: FlowNames) -> str:
    file = f"{names.flow}_flow.py"
    usage = {
        f"python {file}": "run it once",
        f"python {file} serve": "run it on its schedule, until you stop it",
        "prefect deploy --all": "hand it to a work pool, as prefect.yaml says",
    }
    width = max(map(len, usage)) + 4
    lines = "\n".join(f"    {command:{width}}{what}" for command, what in usage.items())
    return f'''"""The pipeline '{one_line(pipeline.name)}' as a Prefect flow.

Made from pipeline.yaml by `mlkit export prefect`: make it again instead of editing it.

{lines}
"""'''


def _constants(pipeline: Pipeline, settings: ExportSettings, parameters: set[str]) -> str:
    rest = {k: v for k, v in settings.parameters.items() if k not in parameters}
    arguments = [
        f"mlkit={literal(str(settings.mlkit))}",
        f"file={literal(str(settings.pipeline_file))}",
        f"runs_dir={literal(str(settings.runs_dir))}",
        f"workers={settings.workers}",
    ]
    if pipeline.schedule is not None:
        arguments.append(f"schedule={literal(pipeline.schedule)}")
    if takes_logical_date(pipeline):
        arguments.append("takes_logical_date=True")
    words = (*settings.options, *parameter_words(rest))
    named = {"options": value(words)} if words else {}
    common = {"tags": value([pipeline.name]), "cache_policy": "NO_CACHE"}
    lines = [
        assign("PIPELINE", call("Pipeline", *arguments, **named)),
        "# Prefect remembers no results: mlkit knows which ones are still good.",
        assign("COMMON", mapping(common)),
    ]
    for policy, name in retry_policies(pipeline).items():
        pairs = dict(argument.split("=", 1) for argument in policy)
        lines.append(assign(name, mapping(pairs)))
    return "\n".join(lines)
