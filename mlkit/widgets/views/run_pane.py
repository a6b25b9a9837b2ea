"""The part of a view that shows one run: the DAG, its stages one by one, and the timeline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import ipywidgets

from mlkit.api.records import find_run
from mlkit.api.run_tables import so_far
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import FINISHED, Status
from mlkit.observe.board import Line
from mlkit.reports.svg import text
from mlkit.widgets.kit.controls import column, row, tick
from mlkit.widgets.kit.markup import Markup
from mlkit.widgets.kit.server_links import find_server
from mlkit.widgets.views.progress_html import progress_html
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
        self.lines: Mapping[str, Line] = {}
        self.dag, self.timeline, self.detail = Markup(), Markup(), Markup(_HINT)
        self.going = Markup()
        self.fold = tick("fold maps", False)
        self.fold.observe(lambda _: self.refresh(), "value")
        self._picked, self._picks = "", 0
        self._server = find_server()
        self._stored: dict[tuple[str, str], StageRecord] = {}
        for part, flex in ((self.dag, "3 1 420px"), (self.detail, "2 1 340px")):
            part.on_pick(self._pick)
            part.layout.flex, part.layout.min_width = flex, "0"

    def view(self) -> ipywidgets.VBox:
        """The parts, in their order."""
        both = row(self.dag, self.detail)
        both.add_class("mlkit-run")
        return column(self.going, self.fold, both, self.timeline)

    def show(self, record: RunRecord | None) -> None:
        """Show another run."""
        if record is None or self.record is None or record.run_id != self.record.run_id:
            self._picked, self.detail.markup = "", _HINT
        self.record = record
        self.refresh()

    def pictures(self) -> list[str]:
        """The DAG with the states of the run, and when each stage ran."""
        return run_pictures(self.pipeline, self.record, folded=bool(self.fold.value))

    def refresh(self) -> None:
        """Bring what is shown up to date with `record`."""
        pictures = self.pictures()
        dag, times = pictures[:1], pictures[1:]
        self.dag.markup = "".join(map(_framed, dag))
        running = self.record.stages.values() if self.record is not None else ()
        names = [item.id for item in running if item.status is Status.RUNNING]
        self.going.markup = progress_html({n: self.lines[n] for n in names if n in self.lines})
        self.fold.layout.display = "" if self._has_maps() else "none"
        self.timeline.markup = "".join(map(_timeline, times))
        if self._picked:
            self._tell()

    def _has_maps(self) -> bool:
        stages = self.pipeline.stages.values() if self.pipeline is not None else ()
        items = self.record.stages.values() if self.record is not None else ()
        return any(s.foreach is not None for s in stages) or any(i.id != i.stage for i in items)

    def _pick(self, name: str) -> None:
        self._picked = name
        self._picks += 1
        self._tell()

    def _tell(self) -> None:
        """Show the stage that was picked; a new pick is brought into view, a refresh is not."""
        names = {
            "class": "mlkit-scroll mlkit-detail",
            "data-reveal": f"{self._picks} {self._picked}",
            "role": "region",
            "aria-label": f"Stage {self._picked}",
        }
        written = " ".join(f'{name}="{text(value)}"' for name, value in names.items())
        self.detail.markup = f"<div {written}>{self._stage_html(self._picked)}</div>"

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


def _framed(picture: str) -> str:
    """A picture that fits, can be enlarged and moved; a stage's details stand beside it."""
    inside = (
        f'<div class="mlkit-scroll" role="region" aria-label="Graph of the stages">{picture}</div>'
    )
    return f'<div class="mlkit-frame">{inside}</div>'


def _timeline(picture: str) -> str:
    return f"<h4>When each stage ran</h4><div class='mlkit-scroll'>{picture}</div>"
