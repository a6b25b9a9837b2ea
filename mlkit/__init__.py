"""mlkit: pipelines of notebooks, to learn on, to build with and to run."""
# Nothing is imported here, not even `annotations`: Ctrl-C would show where, as the command starts.

TYPE_CHECKING = False  # as typing has it, which takes longer to import than all the rest here

__version__ = "0.1.0"

_HOMES = {
    "MlkitError": "mlkit.errors",
    "Pipeline": "mlkit.core.pipeline",
    "RunOptions": "mlkit.driver.options",
    "RunRecord": "mlkit.core.record",
    "Secret": "mlkit.inside.secret",
    "backfill": "mlkit.api.filling",
    "check": "mlkit.inside.checks.checking",
    "compare": "mlkit.api.reading",
    "find_run": "mlkit.api.reading",
    "list_runs": "mlkit.api.reading",
    "load_pipeline": "mlkit.load.pipeline",
    "plan": "mlkit.api.running",
    "resume": "mlkit.api.resuming",
    "run": "mlkit.api.running",
    "skip": "mlkit.inside.skipping",
}
"""Where each exported name stands; at most 20."""

__all__ = [*sorted(_HOMES)]

if TYPE_CHECKING:
    from typing import Any

    from mlkit.api.filling import backfill as backfill
    from mlkit.api.reading import compare as compare
    from mlkit.api.reading import find_run as find_run
    from mlkit.api.reading import list_runs as list_runs
    from mlkit.api.resuming import resume as resume
    from mlkit.api.running import plan as plan
    from mlkit.api.running import run as run
    from mlkit.core.pipeline import Pipeline as Pipeline
    from mlkit.core.record import RunRecord as RunRecord
    from mlkit.driver.options import RunOptions as RunOptions
    from mlkit.errors import MlkitError as MlkitError
    from mlkit.inside.checks.checking import check as check
    from mlkit.inside.secret import Secret as Secret
    from mlkit.inside.skipping import skip as skip
    from mlkit.load.pipeline import load_pipeline as load_pipeline


def __getattr__(name: str) -> "Any":
    """Import an exported name on its first use, so that `import mlkit` stays cheap."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mlkit' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The exported names."""
    return sorted([*globals(), *_HOMES])
