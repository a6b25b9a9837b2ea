"""Edit a pipeline, and see what would run again, and why."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlkit.api.forecasting import plan
from mlkit.api.runs_place import runs_folder
from mlkit.core.durations import format_duration
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.states import Status
from mlkit.driver.options import RunOptions
from mlkit.driver.services import Services
from mlkit.errors import MlkitError
from mlkit.load.parameters import Layers
from mlkit.load.pipeline_file import load_pipeline
from mlkit.observe.signs import SIGNS
from mlkit.planner.forecast import Forecast
from mlkit.reports.dag import Box, Dag, dag_of_pipeline
from mlkit.reports.graph_svg import draw_dag
from mlkit.reports.svg import text
from mlkit.widgets.kit.base import Panel
from mlkit.widgets.kit.controls import button, column, row, tick
from mlkit.widgets.kit.markup import Markup
from mlkit.widgets.labs.cache_world import EDITS, changes, write_world
from mlkit.widgets.views.comparison_html import coloured_diff, table
from mlkit.widgets.views.live_run import LiveRun, Order

__all__ = ["CacheExplainer", "forecast_picture"]

_SIGNS = {"run": "▶ would run", "reuse": "≡ would be reused", "unknown": "? depends"}


def forecast_picture(pipeline: Pipeline, found: Mapping[str, Forecast]) -> str:
    """Draw the DAG with what a run would do with each stage. Pure.

    Parameters
    ----------
    pipeline : Pipeline
        Its stages.
    found : mapping of str to Forecast
        From `mlkit.plan`.
    """
    dag = dag_of_pipeline(pipeline)
    running = sum(item.action == "run" for item in found.values())
    reused = sum(item.action == "reuse" for item in found.values())
    title = f"{running} of {len(found)} stages would run, {reused} would be reused"
    boxes = tuple(_box(box, found) for box in dag.boxes)
    return draw_dag(Dag(title=title, boxes=boxes, links=dag.links), styled=False)


def _box(box: Box, found: Mapping[str, Forecast]) -> Box:
    item = found.get(box.name)
    action = item.action if item is not None else "unknown"
    return Box(name=box.name, note=_SIGNS[action], tone=action)


class CacheExplainer(Panel):
    """A small real pipeline in a temporary folder; ticks edit it, and `mlkit.plan` says the rest.

    It is run once at the beginning, so that there is something to reuse.

    Parameters
    ----------
    services : Services, optional
        The driver's surroundings.
    """

    title = "What would run again?"

    def __init__(self, *, services: Services | None = None) -> None:
        self._services = services or Services()
        self._home = tempfile.TemporaryDirectory(prefix="mlkit-cache-")
        self.folder = Path(self._home.name)
        self.pipeline = load_pipeline(write_world(self.folder))
        self._live: LiveRun | None = None
        self.edits = {edit.key: tick(edit.label, False) for edit in EDITS}
        for box in self.edits.values():
            box.observe(self._edited, "value")
        self.run_button = button("▶ Run now", self.start, primary=True)
        self.said, self.diff = Markup(live=True), Markup()
        self.dag, self.reasons = Markup(), Markup()
        self.dag.layout.flex, self.reasons.layout.flex = "1 1 300px", "1 1 420px"
        self.dag.layout.min_width = self.reasons.layout.min_width = "0"
        super().__init__(
            Markup("<p>Tick an edit: the file is really changed, and the plan is made anew.</p>"),
            column(*self.edits.values()),
            row(self.run_button, button("Undo all edits", self.undo)),
            self.said,
            self.diff,
            row(self.dag, self.reasons),
        )
        self.forecast: Mapping[str, Forecast] = {}
        self.run()

    @property
    def chosen(self) -> frozenset[str]:
        """The edits that are made now."""
        return frozenset(key for key, box in self.edits.items() if box.value)

    def edit(self, *keys: str) -> Mapping[str, Forecast]:
        """Make these edits and no others, as the ticks do.

        Parameters
        ----------
        *keys : str
            `prose`, `code`, `parameter`, `data`, `helper`, `shadow`.

        Returns
        -------
        mapping of str to Forecast
            What a run would do with each stage now.
        """
        for key, box in self.edits.items():
            box.value = key in keys
        return self.forecast

    def undo(self) -> None:
        """Undo all edits."""
        self.edit()

    def start(self) -> None:
        """Run the pipeline as it is now, in the background."""
        if self._live is not None and not self._live.is_over:
            return
        order = Order(
            pipeline=self.pipeline,
            runs_dir=runs_folder(self.pipeline, self.folder / "runs"),
            layers=Layers(environ={}),
            options=RunOptions(),
            services=self._services,
        )
        self._live = LiveRun(order, self._changed)
        self.run_button.disabled = True
        for box in self.edits.values():
            box.disabled = True
        self._say("▶ Running …")
        self._live.start()

    def run(self) -> RunRecord:
        """Run the pipeline as it is now, and wait."""
        self.start()
        assert self._live is not None, "start has made it"
        record = self._live.wait()
        assert record is not None, "a run that has ended without an error has a record"
        return record

    def _changed(self, live: LiveRun) -> None:
        if not live.is_over:
            return
        self.run_button.disabled = False
        for box in self.edits.values():
            box.disabled = False
        self._plan()
        if live.problem is not None:
            self._say(f"✗ {live.problem}")
        elif live.record is not None:
            states = [item.status for item in live.record.stages.values()]
            counts = ", ".join(f"{states.count(s)} {SIGNS[s].word}" for s in Status if s in states)
            took = format_duration(live.record.seconds)
            self._say(f"It ran in {took}: {counts}. Now tick an edit, and predict first.")

    def _edited(self, _: object = None) -> None:
        self.pipeline = load_pipeline(write_world(self.folder, self.chosen))
        self._plan()
        actions = [item.action for item in self.forecast.values()]
        told = f"{actions.count('run')} would run, {actions.count('reuse')} would be reused"
        unknown = actions.count("unknown")
        self._say(f"{told}, {unknown} depend on what comes out before them." if unknown else told)

    def _say(self, words: str) -> None:
        self.said.markup = f'<div class="mlkit-note">{text(words)}</div>'

    def _plan(self) -> None:
        """Ask for the plan, and show it."""
        runs_dir = self.folder / "runs"
        try:
            self.forecast = plan(self.pipeline, runs_dir=runs_dir, layers=Layers(environ={}))
        except MlkitError as error:
            self._say(f"✗ {error}")
            return
        lines = changes(self.chosen)
        self.diff.markup = f"<pre>{coloured_diff(lines)}</pre>" if lines else ""
        self.dag.markup = f'<div class="mlkit-scroll">{self.pictures()[0]}</div>'
        self.reasons.markup = table(
            "What mlkit plan says", ("stage", "action", "why"), map(_row, self.forecast.values())
        )

    def pictures(self) -> Sequence[str]:
        """The DAG with what a run would do."""
        return [forecast_picture(self.pipeline, self.forecast)]

    def static_html(self) -> str:
        """The plan as a table."""
        return self.reasons.markup


def _row(item: Forecast) -> list[str]:
    return [text(item.id), text(_SIGNS[item.action]), text("; ".join(item.reasons))]
