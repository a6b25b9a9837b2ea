"""Compile a pipeline to a Prefect flow, with its deployment beside it."""

from __future__ import annotations

from typing import Any

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
    mapping,
    one_line,
    usage,
    value,
)
from mlkit.engines.questions import shown_parameters
from mlkit.engines.refusals import refuse
from mlkit.engines.registry import ENGINES

__all__ = ["compile_pipeline"]

_BESIDE = ("mlkit_stages", "mlkit_upstream")
"""The modules that stand beside the flow."""


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
    commands = {
        f"python {file}": "run it once",
        f"python {file} serve": "run it on its schedule, until you stop it",
        "prefect deploy --all": "hand it to a work pool, as prefect.yaml says",
    }
    return f'''"""The pipeline '{one_line(pipeline.name)}' as a Prefect flow.

Made from pipeline.yaml by `mlkit export prefect`: make it again instead of editing it.

{usage(commands)}
"""'''


def _constants(pipeline: Pipeline, settings: ExportSettings, parameters: set[str]) -> str:
    given = settings.parameters
    rest = {k: v for k, v in given.items() if k not in parameters}
    shown = shown_parameters(pipeline, given)
    facts: dict[str, Any] = {
        "mlkit": str(settings.mlkit),
        "file": str(settings.pipeline_file),
        "runs_dir": str(settings.runs_dir),
        "workers": settings.workers,
        "schedule": pipeline.schedule,
        "timezone": None if pipeline.timezone.upper() == "UTC" else pipeline.timezone,
        "overlap": pipeline.overlap,
        "takes_logical_date": takes_logical_date(pipeline),
        "options": [*settings.options, *parameter_words(rest)],
        "parameters": {k: v for k, v in shown.items() if k in parameters and k not in given},
    }
    known = {name: value(item) for name, item in facts.items() if item}
    common = {"tags": value([pipeline.name]), "cache_policy": "NO_CACHE"}
    return "\n".join(
        [
            assign("PIPELINE", call("Pipeline", **known)),
            "# Prefect remembers no results: mlkit knows which ones are still good.",
            assign("COMMON", mapping(common)),
            *(assign(name, policy) for policy, name in retry_policies(pipeline).items()),
        ]
    )
