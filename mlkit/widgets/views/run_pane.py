"""The part of a view that shows one run: the DAG, its stages one by one, and the timeline."""

from __future__ import annotations

from pathlib import Path

import ipywidgets

from mlkit.api.records import find_run
from mlkit.api.run_tables import so_far
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import FINISHED, Status
from mlkit.reports.svg import text
from mlkit.widgets.kit.controls import column, row
from mlkit.widgets.kit.markup import Markup
from mlkit.widgets.kit.server_links import find_server
from mlkit.widgets.views.run_pictures import run_pictures
from mlkit.widgets.views.stage_detail import instances_html, stage_html

__all__ = ["RunPane"]

_HINT = (
    "<p class='mlkit-quiet'>Choose a stage in the picture: click it, or go there with Tab and "
    "press Enter. Its notebook, log, artifacts, and why it ran, then stand here.</p>"
)


class RunPane:
    """The pictures of a run, in which a stage can be picked.

    Parameters
    ----------
    pipeline : Pipeline or None
        Its stages; without it the record alone tells of them.
    runs_dir : Path
        The runs folder.
    """

    def __init__(self, pipeline: Pipeline | None, runs_dir: Path) -> None:
        self.pipeline, self.runs_dir = pipeline, runs_dir
        self.record: RunRecord | None = None
        self.dag, self.timeline, self.detail = Markup(), Markup(), Markup(_HINT)
        self._picked = ""
        self._server = find_server()
        self._stored: dict[tuple[str, str], StageRecord] = {}
        for part, flex in ((self.dag, "3 1 420px"), (self.detail, "2 1 340px")):
            part.on_pick(self._pick)
            part.layout.flex, part.layout.min_width = flex, "0"

    def view(self) -> ipywidgets.VBox:
        """The parts, in their order."""
        return column(row(self.dag, self.detail), self.timeline)

    def show(self, record: RunRecord | None) -> None:
        """Show another run."""
        if record is None or self.record is None or record.run_id != self.record.run_id:
            self._picked, self.detail.markup = "", _HINT
        self.record = record
        self.refresh()

    def pictures(self) -> list[str]:
        """The DAG with the states of the run, and when each stage ran."""
        return run_pictures(self.pipeline, self.record)

    def refresh(self) -> None:
        """Bring what is shown up to date with `record`."""
        pictures = self.pictures()
        dag, times = pictures[:1], pictures[1:]
        self.dag.markup = "".join(f'<div class="mlkit-scroll">{picture}</div>' for picture in dag)
        self.timeline.markup = "".join(map(_timeline, times))
        if self._picked:
            self.detail.markup = self._stage_html(self._picked)

    def _pick(self, name: str) -> None:
        self._picked = name
        self.detail.markup = self._stage_html(name)

    def _stage_html(self, name: str) -> str:
        record, stage = self.record, name.partition("[")[0]
        items = [i for i in record.stages.values() if i.stage == stage] if record else []
        chosen = next((item for item in items if item.id == name), None)
        if record is not None and chosen is not None:
            whole = self._whole(record, chosen)
            return stage_html(record, whole, self._server, self._source(stage))
        if items:
            return instances_html(stage, items)
        return f"<h4>{text(name)}</h4><p>It has not run yet.</p>"

    def _source(self, stage: str) -> Path | None:
        known = self.pipeline.stages.get(stage) if self.pipeline is not None else None
        return None if known is None else Path(known.notebook)

    def _whole(self, record: RunRecord, item: StageRecord) -> StageRecord:
        """A stage with what it has logged so far; while its run goes on, as far as it is stored."""
        if item.status is Status.RUNNING:
            return so_far(record).stages[item.id]
        if record.ended is not None or item.status not in FINISHED:
            return item
        key = (record.run_id, item.id)
        if key not in self._stored:
            stored = find_run(record.run_id, self.runs_dir).stages.get(item.id)
            if stored is None or stored.status is not item.status:
                return item
            self._stored[key] = stored
        return self._stored[key]


def _timeline(picture: str) -> str:
    return f"<h4>When each stage ran</h4><div class='mlkit-scroll'>{picture}</div>"
