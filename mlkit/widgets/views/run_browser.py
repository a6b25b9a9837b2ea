"""The history of a pipeline's runs: filter it, look into a run, compare two."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlkit.api.records import list_runs
from mlkit.api.runs_place import runs_folder
from mlkit.core.durations import format_duration
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.states import RunStatus
from mlkit.core.values import shown
from mlkit.errors import UsageError
from mlkit.load.pipeline_file import load_pipeline
from mlkit.observe.signs import RUN_SIGNS, SIGNS
from mlkit.reports.comparison import compare_runs
from mlkit.reports.report_parts import format_time
from mlkit.reports.svg import text as escaped
from mlkit.widgets.kit.base import Panel
from mlkit.widgets.kit.controls import button, choice, row, text
from mlkit.widgets.kit.markup import Markup
from mlkit.widgets.views.comparison_html import comparison_html, table
from mlkit.widgets.views.pair_picture import draw_pair
from mlkit.widgets.views.run_pane import RunPane
from mlkit.widgets.views.stage_detail import pick_button

__all__ = ["RunBrowser", "matches"]

_EVERY = "every state"
_NONE = "(no other run)"
_MOST = 200


def matches(record: RunRecord, words: str, state: str) -> bool:
    """Whether a run passes the filter. Pure.

    Parameters
    ----------
    record : RunRecord
        The run.
    words : str
        Each has to occur in the run's id, its parameters as `name=value`, or a failed stage's
        name or error, whatever the case of the letters.
    state : str
        The state that it has to have, or `every state`.
    """
    if state not in (_EVERY, record.status.value):
        return False
    told = [record.run_id, record.pipeline]
    told += [f"{name}={shown(value)}" for name, value in record.parameters.items()]
    for item in record.stages.values():
        if item.error is not None:
            told.append(f"{item.id} {item.error.type}: {item.error.message}")
    everything = " ".join(told).lower()
    return all(word in everything for word in words.lower().split())


class RunBrowser(Panel):
    """The runs in a runs folder, newest first.

    Parameters
    ----------
    pipeline : Pipeline, Path or str, optional
        Whose runs; with it the picture shows conditions, too.
    runs_dir : Path or str, optional
        The runs folder; one of the two has to be given.

    Examples
    --------
    >>> RunBrowser("notebooks/flights")  # doctest: +SKIP
    """

    title = "Runs"

    def __init__(
        self,
        pipeline: Pipeline | Path | str | None = None,
        *,
        runs_dir: Path | str | None = None,
    ) -> None:
        if pipeline is None and runs_dir is None:
            raise UsageError("RunBrowser needs a pipeline or a runs folder", remedy="Name one")
        if pipeline is not None and not isinstance(pipeline, Pipeline):
            pipeline = load_pipeline(pipeline)
        self.pipeline = pipeline
        self.runs_dir = runs_folder(pipeline or Path(), runs_dir)
        states = [_EVERY, *(status.value for status in RunStatus)]
        self.words = text("filter", hint="rows=3000, ValueError, 2026-11 …")
        self.state = choice("state", states)
        self.other = choice("compare it with", [_NONE])
        self.list, self.compared = Markup(), Markup()
        self.pane = RunPane(pipeline, self.runs_dir)
        self.list.on_pick(self.show)
        self._runs: dict[str, RunRecord] = {}
        for control in (self.words, self.state):
            control.observe(lambda _: self._list(), "value")
        self.other.observe(lambda _: self._show_pair(), "value")
        super().__init__(
            row(self.words, self.state, button("Read again", self.refresh)),
            self.list,
            row(self.other),
            self.compared,
            self.pane.view(),
        )
        self.refresh()

    def refresh(self) -> None:
        """Read the runs folder again."""
        name = self.pipeline.name if self.pipeline is not None else None
        found = [r for r in list_runs(runs_dir=self.runs_dir) if name in (None, r.pipeline)]
        self._runs = {record.run_id: record for record in reversed(found)}
        self._list()
        shown = self.pane.record.run_id if self.pane.record is not None else ""
        if self._runs:
            self.show(shown if shown in self._runs else next(iter(self._runs)))

    @property
    def runs(self) -> list[RunRecord]:
        """The runs that pass the filter, newest first."""
        words, state = self.words.value, self.state.value
        return [record for record in self._runs.values() if matches(record, words, state)]

    def show(self, run_id: str) -> None:
        """Show a run below the list.

        Parameters
        ----------
        run_id : str
            One of the list's.
        """
        record = self._runs[run_id]
        self.list.picked = run_id
        before = self.other.value
        others = [(_label(r), r.run_id) for r in self._runs.values() if r.run_id != run_id]
        self.other.options = [(_NONE, _NONE), *others]
        self.other.value = before if before in {value for _, value in others} else _NONE
        self.pane.show(record)
        self._show_pair()

    def compare_with(self, run_id: str) -> None:
        """Compare the run that is shown, as B, with another one, as A."""
        self.other.value = run_id

    def _list(self) -> None:
        runs = self.runs
        if not self._runs:
            self.list.markup = (
                "<p>No run yet. Start one with Run in a PipelineView, or mlkit run.</p>"
            )
            return
        head = ("run", "state", "started", "took", "stages", "parameters")
        shown = table(f"{len(runs)} of {len(self._runs)} runs", head, map(_row, runs[:_MOST]))
        nothing = "<p>No run passes the filter.</p>"
        self.list.markup = shown.replace("mlkit-scroll", "mlkit-scroll tall") if runs else nothing

    def _show_pair(self) -> None:
        record, other = self.pane.record, self._runs.get(self.other.value)
        if record is None or other is None:
            self.compared.markup = ""
            return
        found = compare_runs(other, record)
        picture = f'<div class="mlkit-scroll">{draw_pair(found)}</div>'
        self.compared.markup = f"<h4>Comparison</h4>{picture}{comparison_html(found)}"

    def pictures(self) -> Sequence[str]:
        """The comparison, if two runs are compared, and the pictures of the run that is shown."""
        record, other = self.pane.record, self._runs.get(self.other.value)
        pair = [draw_pair(compare_runs(other, record))] if record and other else []
        return [*pair, *self.pane.pictures()]

    def static_html(self) -> str:
        """The list, and the comparison."""
        return self.list.markup + self.compared.markup


def _label(record: RunRecord) -> str:
    return f"{record.run_id} ({RUN_SIGNS[record.status]})"


def _row(record: RunRecord) -> list[str]:
    statuses = [item.status for item in record.stages.values()]
    counts = ", ".join(
        f"{SIGNS[status].glyph} {statuses.count(status)} {SIGNS[status].word}"
        for status in dict.fromkeys(statuses)
    )
    values = ", ".join(f"{name}={shown(value)}" for name, value in record.parameters.items())
    return [
        pick_button(record.run_id, record.run_id),
        f'<span class="state-{record.status.value}"><span class="mlkit-state">'
        f"{RUN_SIGNS[record.status]}</span></span>",
        format_time(record.started),
        format_duration(record.seconds) if record.ended is not None else "",
        escaped(counts),
        escaped(values),
    ]
