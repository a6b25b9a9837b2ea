"""mlkit: pipelines of notebooks, to learn on, to build with and to run."""
# Nothing is imported here, not even `annotations`: Ctrl-C would show where, as the command starts.

TYPE_CHECKING = False  # as typing has it, which takes longer to import than all the rest here

__version__ = "0.1.0"

_HOMES = {
    "Layers": "mlkit.load.parameters",
    "MlkitError": "mlkit.errors",
    "Pipeline": "mlkit.core.pipeline",
    "Retry": "mlkit.core.policies",
    "RunOptions": "mlkit.driver.options",
    "RunRecord": "mlkit.core.record",
    "Secret": "mlkit.inside.secret",
    "Services": "mlkit.driver.services",
    "Status": "mlkit.core.states",
    "TriggerRule": "mlkit.core.triggers",
    "UnsupportedByEngineError": "mlkit.errors",
    "artifacts_table": "mlkit.api.artifact_tables",
    "backfill": "mlkit.api.filling",
    "check": "mlkit.inside.checks.checking",
    "compare": "mlkit.api.two_runs",
    "compile_export": "mlkit.api.exports",
    "configure": "mlkit.load.parameters",
    "export": "mlkit.api.exports",
    "find_run": "mlkit.api.records",
    "list_runs": "mlkit.api.records",
    "load_pipeline": "mlkit.load.pipeline_file",
    "log_metric": "mlkit.inside.measuring",
    "plan": "mlkit.api.forecasting",
    "progress": "mlkit.inside.progressing",
    "resume": "mlkit.api.resuming",
    "run": "mlkit.api.local_run",
    "run_on": "mlkit.api.engine_runs",
    "runs_table": "mlkit.api.run_tables",
    "skip": "mlkit.inside.skipping",
    "watch": "mlkit.widgets.views.watch_view",
    "write_export": "mlkit.api.exports",
}
"""Where each exported name stands; at most 31."""

__all__ = [*sorted(_HOMES)]

if TYPE_CHECKING:
    from typing import Any

    from mlkit.api.artifact_tables import artifacts_table as artifacts_table
    from mlkit.api.engine_runs import run_on as run_on
    from mlkit.api.exports import compile_export as compile_export
    from mlkit.api.exports import export as export
    from mlkit.api.exports import write_export as write_export
    from mlkit.api.filling import backfill as backfill
    from mlkit.api.forecasting import plan as plan
    from mlkit.api.local_run import run as run
    from mlkit.api.records import find_run as find_run
    from mlkit.api.records import list_runs as list_runs
    from mlkit.api.resuming import resume as resume
    from mlkit.api.run_tables import runs_table as runs_table
    from mlkit.api.two_runs import compare as compare
    from mlkit.core.pipeline import Pipeline as Pipeline
    from mlkit.core.policies import Retry as Retry
    from mlkit.core.record import RunRecord as RunRecord
    from mlkit.core.states import Status as Status
    from mlkit.core.triggers import TriggerRule as TriggerRule
    from mlkit.driver.options import RunOptions as RunOptions
    from mlkit.driver.services import Services as Services
    from mlkit.errors import MlkitError as MlkitError
    from mlkit.errors import UnsupportedByEngineError as UnsupportedByEngineError
    from mlkit.inside.checks.checking import check as check
    from mlkit.inside.measuring import log_metric as log_metric
    from mlkit.inside.progressing import progress as progress
    from mlkit.inside.secret import Secret as Secret
    from mlkit.inside.skipping import skip as skip
    from mlkit.load.parameters import Layers as Layers
    from mlkit.load.parameters import configure as configure
    from mlkit.load.pipeline_file import load_pipeline as load_pipeline
    from mlkit.widgets.views.watch_view import watch as watch


def __getattr__(name: str) -> "Any":
    """Import an exported name on its first use, so that `import mlkit` stays cheap."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mlkit' has no attribute {name!r}")
    import importlib  # as the first line of this file says

    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The exported names."""
    return sorted([*globals(), *_HOMES])
