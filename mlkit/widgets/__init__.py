"""Live views for notebooks: run a pipeline, browse its runs, try out the ideas behind it.

Every view is an ipywidgets widget, and shows its present state as a picture where no kernel runs.
`views` holds those of pipelines and runs, `labs` the workbenches of the lessons, `kit` what both
are made of; `mlkit.widgets.kit.base` says how. `to_svg` and `draw_timeline` are pictures alone.
"""

from __future__ import annotations

from mlkit.lazily import exports

TYPE_CHECKING = False  # as typing has it, which takes longer to import than all the rest here

if TYPE_CHECKING:
    from mlkit.reports.graph_forms import to_svg as to_svg
    from mlkit.reports.timeline import draw_timeline as draw_timeline
    from mlkit.widgets.labs.cache_explainer import CacheExplainer as CacheExplainer
    from mlkit.widgets.labs.dag_lab import DagLab as DagLab
    from mlkit.widgets.labs.dag_sketch import DagSketch as DagSketch
    from mlkit.widgets.labs.dag_sketch import analyse as analyse
    from mlkit.widgets.labs.idempotency_lab import IdempotencyLab as IdempotencyLab
    from mlkit.widgets.labs.lesson_map import LessonMap as LessonMap
    from mlkit.widgets.labs.retry_lab import RetryLab as RetryLab
    from mlkit.widgets.labs.schedule_lab import ScheduleLab as ScheduleLab
    from mlkit.widgets.views.pipeline_view import PipelineView as PipelineView
    from mlkit.widgets.views.run_browser import RunBrowser as RunBrowser
    from mlkit.widgets.views.watch_view import WatchView as WatchView

_HOMES = {
    "CacheExplainer": "mlkit.widgets.labs.cache_explainer",
    "DagLab": "mlkit.widgets.labs.dag_lab",
    "DagSketch": "mlkit.widgets.labs.dag_sketch",
    "IdempotencyLab": "mlkit.widgets.labs.idempotency_lab",
    "LessonMap": "mlkit.widgets.labs.lesson_map",
    "PipelineView": "mlkit.widgets.views.pipeline_view",
    "RetryLab": "mlkit.widgets.labs.retry_lab",
    "RunBrowser": "mlkit.widgets.views.run_browser",
    "ScheduleLab": "mlkit.widgets.labs.schedule_lab",
    "WatchView": "mlkit.widgets.views.watch_view",
    "analyse": "mlkit.widgets.labs.dag_sketch",
    "draw_timeline": "mlkit.reports.timeline",
    "to_svg": "mlkit.reports.graph_forms",
}
"""Where each view stands; ipywidgets is imported with the first of them."""

__all__ = [*sorted(_HOMES)]
__getattr__, __dir__ = exports(__name__, _HOMES)
