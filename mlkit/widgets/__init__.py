"""Live views for notebooks: run a pipeline, browse its runs, try out the ideas behind it.

Every view is an ipywidgets widget, and shows its present state as a picture where no kernel runs.
`mlkit.widgets.base` says how one is made.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "CacheExplainer": "mlkit.widgets.cache_explainer",
    "DagLab": "mlkit.widgets.dag_lab",
    "IdempotencyLab": "mlkit.widgets.idempotency_lab",
    "LessonMap": "mlkit.widgets.lesson_map",
    "PipelineView": "mlkit.widgets.pipeline_view",
    "RetryLab": "mlkit.widgets.retry_lab",
    "RunBrowser": "mlkit.widgets.run_browser",
    "ScheduleLab": "mlkit.widgets.schedule_lab",
}
"""Where each view stands; ipywidgets is imported with the first of them."""

__all__ = [*sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    """Import a view on its first use, so that `import mlkit.widgets` stays cheap."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mlkit.widgets' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The views."""
    return sorted([*globals(), *_HOMES])
