"""The history of a pipeline's runs: filter it, look into a run, compare two."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from mlkit.api.following import RunFollower
from mlkit.api.records import find_run, list_runs
from mlkit.api.run_tables import measured_by, row_of, so_far
from mlkit.api.runs_place import runs_folder
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.run_row import RunRow
from mlkit.core.states import RunStatus
from mlkit.core.values import shown
from mlkit.errors import MlkitError, UnknownRunError, UsageError
from mlkit.load.pipeline_file import load_pipeline
from mlkit.observe.layout import counted
from mlkit.observe.signs import RUN_SIGNS
from mlkit.reports.comparison import compare_runs
from mlkit.reports.run_table import Column, RunTable, number_text, state_text
from mlkit.reports.run_table_page import run_table_html
from mlkit.reports.spark import draw_spark
from mlkit.reports.svg import text as escaped
from mlkit.store.folder import RunsFolder
from mlkit.widgets.kit.base import Panel
from mlkit.widgets.kit.controls import button, choice, row, text
from mlkit.widgets.kit.markup import Markup
from mlkit.widgets.views.comparison_html import comparison_html
from mlkit.widgets.views.pair_picture import draw_pair
from mlkit.widgets.views.run_pane import RunPane
from mlkit.widgets.views.stage_detail import pick_button

__all__ = ["RunBrowser", "matches"]

_EVERY = "every state"
_NONE = "(no other run)"
_MOST = 200
_MOST_COLUMNS = 10
_SORT = "sort:"
_LOOK_EVERY_S = 1.0
_FEWEST, _MOST_POINTS = 3, 40
_CONDITION = re.compile(r"==|!=|[<>]|\bin\s*[\[(]|'\s+in\s|\bis\s+(not\s+)?missing\b")
"""What makes a condition of words: `rows > 1000`; `rows=1000` is looked for as it stands."""


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
    """The runs in a runs folder, newest first; while one goes on, what it logs is shown.

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
        self.words = text("filter", hint="rows=3000, ValueError, roc_auc > 0.7 …")
        self.state = choice("state", states)
        self.other = choice("compare it with", [_NONE])
        self.list, self.compared = Markup(), Markup()
        self.pane = RunPane(pipeline, self.runs_dir)
        self.list.on_pick(self._pick)
        self._runs: dict[str, RunRecord] = {}
        self._rows: dict[str, RunRow] = {}
        self._lock = threading.RLock()
        self._others: set[str] = set()
        self._looking: threading.Thread | None = None
        self._order = ""
        self._follower: RunFollower | None = None
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
        """Read the runs folder again, and keep looking as long as a run goes on."""
        with self._lock:
            found = list_runs(runs_dir=self.runs_dir)
            self._others = {record.run_id for record in found if not self._is_ours(record)}
            self._take([so_far(record) for record in found if self._is_ours(record)])
            shown = self.pane.record.run_id if self.pane.record is not None else ""
            if self._runs:
                self.show(shown if shown in self._runs else next(iter(self._runs)))
            if self._going() and (self._looking is None or not self._looking.is_alive()):
                self._looking = threading.Thread(target=self._look, name="mlkit-runs", daemon=True)
                self._looking.start()

    def _is_ours(self, record: RunRecord) -> bool:
        return self.pipeline is None or record.pipeline == self.pipeline.name

    def _take(self, found: Sequence[RunRecord]) -> None:
        """List runs, the oldest first, in place of what was known."""
        before = self._runs
        self._runs = {record.run_id: record for record in reversed(found)}
        self._rows = {
            key: self._rows[key] if before.get(key) is run else row_of(run, measured_by(run))
            for key, run in self._runs.items()
        }
        self._list()

    def _going(self) -> list[str]:
        return [key for key, run in self._runs.items() if run.status is RunStatus.RUNNING]

    def _look(self) -> None:
        """Look at the runs that go on, and for further ones, until all have ended."""
        while self._going():
            time.sleep(_LOOK_EVERY_S)
            try:
                self.look()
            except MlkitError as error:  # a folder that is gone: it is told, and read no more
                self.list.markup = _problem(error)
                return

    def look(self) -> None:
        """Read the runs again that went on when they were read, and those that have begun since."""
        with self._lock:
            going, runs = self._going(), dict(reversed(self._runs.items()))
            known = {*runs, *self._others}
            new = [key for key in RunsFolder(self.runs_dir).run_ids() if key not in known]
            for run_id in [*going, *new]:
                try:
                    record = find_run(run_id, self.runs_dir)
                except UnknownRunError:  # it was removed, or has not said yet what it is
                    runs.pop(run_id, None)
                    continue
                if self._is_ours(record):
                    runs[run_id] = so_far(record)
                else:
                    self._others.add(run_id)
            self._take(list(runs.values()))
            shown = self.pane.record
            if shown is not None and shown.run_id in going and shown.run_id in runs:
                self._show_in_pane(runs[shown.run_id])

    @property
    def runs(self) -> list[RunRecord]:
        """The runs that pass the filter, in the order of the list: at first the newest first."""
        return [self._runs[row.run_id] for row in self._table().rows]

    def _table(self) -> RunTable:
        """The runs that pass the filter.

        Raises
        ------
        UsageError
            If the filter is a condition, and has a mistake.
        """
        words, state = self.words.value.strip(), self.state.value
        table = RunTable(list(self._rows.values()))
        is_condition = _CONDITION.search(words) is not None
        if is_condition:
            table = table.filtered(words)
        plain = "" if is_condition else words
        table = table.only(lambda row: matches(self._runs[row.run_id], plain, state))
        return table.sorted_by([self._order]) if self._order else table

    def _pick(self, name: str) -> None:
        """Show a run, or order the list by a column: upwards, downwards, as it was."""
        if name in self._runs or not name.startswith(_SORT):
            self.show(name)
            return
        key = name.removeprefix(_SORT)
        following = {"": f"-{key}", f"-{key}": key, key: ""}
        self._order = following.get(self._order, f"-{key}")
        self._list()

    def show(self, run_id: str) -> None:
        """Show a run below the list.

        Parameters
        ----------
        run_id : str
            One of the list's.
        """
        with self._lock:
            record = self._runs[run_id]
            self.list.picked = run_id
            before = self.other.value
            others = [(_label(r), r.run_id) for r in self._runs.values() if r.run_id != run_id]
            self.other.options = [(_NONE, _NONE), *others]
            self.other.value = before if before in {value for _, value in others} else _NONE
            self._show_in_pane(record)
            self._show_pair()

    def _show_in_pane(self, record: RunRecord) -> None:
        """Show a run; of one that goes on, how far its stages are, by its events."""
        is_going = record.status is RunStatus.RUNNING
        if not is_going:
            self._follower = None
        elif self._follower is None or self._follower.run_id != record.run_id:
            self._follower = RunFollower(record)
        self.pane.lines = {} if self._follower is None else self._follower.board().lines
        self.pane.show(record)

    def compare_with(self, run_id: str) -> None:
        """Compare the run that is shown, as B, with another one, as A.

        Parameters
        ----------
        run_id : str
            The other run's id.
        """
        self.other.value = run_id

    def _list(self) -> None:
        with self._lock:
            self.list.markup = self._listed()

    def _listed(self) -> str:
        if not self._runs:
            return "<p>No run yet. Start one with Run in a PipelineView, or mlkit run.</p>"
        try:
            found = self._table()
        except MlkitError as error:
            return _problem(error)
        return self._list_html(found) if found.rows else "<p>No run passes the filter.</p>"

    def _list_html(self, found: RunTable) -> str:
        table = found.first(_MOST)
        columns = _metrics_first(table.best(_MOST_COLUMNS))
        left = len(table.telling()) - _MOST_COLUMNS
        more = f"; {counted(left, 'column')} left out" if left > 0 else ""
        said = f"{len(found.rows)} of {len(self._runs)} runs{more}"
        body = run_table_html(table, columns, heading=self._heading, cell=self._cell, caption=said)
        return f'<div class="mlkit-scroll tall">{body}</div>'

    def _heading(self, column: Column) -> str:
        """A title that orders the list; the arrow says how it is ordered."""
        arrow = {column.key: " ▲", f"-{column.key}": " ▼"}.get(self._order, "")
        return pick_button(f"{_SORT}{column.key}", f"{column.title}{arrow}")

    def _cell(self, row: RunRow, column: Column) -> str | None:
        """The cells that are more than a text: buttons, states with a colour, and curves."""
        if column.kind == "run" and column.name == "run":
            return pick_button(row.run_id, row.run_id)
        if column.kind == "run" and column.name == "status":
            sign = f'<span class="mlkit-state">{state_text(row)}</span>'
            return f'<span class="state-{row.state}">{sign}</span>'
        spark = _spark(self._runs[row.run_id], column.name) if column.kind == "metric" else ""
        return f"{spark} {number_text(row.metrics[column.name])}" if spark else None

    def _show_pair(self) -> None:
        record, other = self.pane.record, self._runs.get(self.other.value)
        if record is None or other is None:
            self.compared.markup = ""
            return
        found = compare_runs(other, record)
        picture = f'<div class="mlkit-scroll">{draw_pair(found)}</div>'
        self.compared.markup = f"<h4>Comparison</h4>{comparison_html(found)}{picture}"

    def pictures(self) -> Sequence[str]:
        """The comparison, if two runs are compared, and the pictures of the run that is shown."""
        record, other = self.pane.record, self._runs.get(self.other.value)
        pair = [draw_pair(compare_runs(other, record))] if record and other else []
        return [*pair, *self.pane.pictures()]

    def static_html(self) -> str:
        """The list, and the comparison."""
        return self.list.markup + self.compared.markup


def _metrics_first(columns: Sequence[Column]) -> list[Column]:
    """Which run it is and how it ended, what it measured, what it was given, and the rest."""
    own = [column for column in columns if column.kind == "run"]
    first = [column for column in own if column.name in ("run", "status", "labels")]
    metrics = [column for column in columns if column.kind == "metric"]
    given = [column for column in columns if column.kind == "parameter"]
    return [*first, *metrics, *given, *(column for column in own if column not in first)]


def _label(record: RunRecord) -> str:
    return f"{record.run_id} ({RUN_SIGNS[record.status]})"


def _problem(error: MlkitError) -> str:
    remedy = f"<p>{escaped(error.remedy or '')}</p>"
    return f'<pre class="mlkit-problem">{escaped(error.message)}</pre>{remedy}'


def _spark(record: RunRecord, metric: str) -> str:
    """How a metric went within a run, step by step; empty where it was not logged so. Pure."""
    curves = ((f"{i.id}.{name}", c) for i in record.stages.values() for name, c in i.curves.items())
    curve = next((points for name, points in curves if name == metric), ())
    if len(curve) < _FEWEST:
        return ""
    kept = curve[:: -(-len(curve) // _MOST_POINTS)]
    kept = kept if kept[-1] == curve[-1] else (*kept, curve[-1])
    first, last = curve[0], curve[-1]
    words = (
        f"{metric} from {number_text(first[1])} at step {number_text(first[0])} "
        f"to {number_text(last[1])} at step {number_text(last[0])}"
    )
    return draw_spark([value for _, value in kept], words)
