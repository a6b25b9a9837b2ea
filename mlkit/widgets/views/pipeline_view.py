"""Run a pipeline from a form, and watch it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlkit.api.choices import default_workers
from mlkit.api.records import list_runs
from mlkit.api.runs_place import runs_folder
from mlkit.core.durations import format_duration
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.states import Status
from mlkit.driver.options import RunOptions
from mlkit.driver.services import Services
from mlkit.errors import MlkitError, UsageError
from mlkit.load.parameters import Layers, configure
from mlkit.load.pipeline_file import load_pipeline
from mlkit.observe.board import Line
from mlkit.observe.run_summary import failures
from mlkit.observe.signs import RUN_SIGNS
from mlkit.reports.svg import text
from mlkit.widgets.kit.base import Panel
from mlkit.widgets.kit.controls import button, row, tick
from mlkit.widgets.kit.markup import Markup
from mlkit.widgets.views.form import ParameterForm
from mlkit.widgets.views.live_run import LiveRun, Order
from mlkit.widgets.views.run_pane import RunPane

__all__ = ["PipelineView", "told"]


class PipelineView(Panel):
    """A form of the pipeline's parameters, a button that runs it, and the run as it goes on.

    The run has a thread of its own: the notebook stays usable, and several views can run at once.

    Parameters
    ----------
    pipeline : Pipeline, Path or str
        The pipeline, its pipeline.yaml, or its folder.
    parameters : mapping of str to object, optional
        Values for `NAME` or `STAGE.NAME` with which the form begins.
    runs_dir : Path or str, optional
        The runs folder.
    workers : int, optional
        How many stages run at once (default: as many as there are cores).
    services : Services, optional
        The driver's surroundings.

    Examples
    --------
    >>> view = PipelineView("notebooks/flights", parameters={"rows": 3000})  # doctest: +SKIP
    >>> view.run().status  # doctest: +SKIP
    """

    def __init__(
        self,
        pipeline: Pipeline | Path | str,
        *,
        parameters: Mapping[str, Any] | None = None,
        runs_dir: Path | str | None = None,
        workers: int | None = None,
        services: Services | None = None,
    ) -> None:
        self.pipeline = pipeline if isinstance(pipeline, Pipeline) else load_pipeline(pipeline)
        self.runs_dir = runs_folder(self.pipeline, runs_dir)
        self._services = services or Services()
        self._workers = workers or default_workers()
        self._layers = Layers(environ=dict(self._services.environ))
        self._live: LiveRun | None = None
        self.title = f"Pipeline {self.pipeline.name}"
        self.form = ParameterForm(self.pipeline, parameters or {}, self._settled())
        self.force = tick("run every stage, even if nothing has changed", False)
        self.run_button = button("▶ Run", self.start, primary=True)
        self.cancel_button = button("■ Cancel", self.cancel)
        self.status, self.clock = Markup(live=True), Markup()
        self.pane = RunPane(self.pipeline, self.runs_dir)
        self._lock = threading.RLock()
        super().__init__(
            Markup(f"<p>{text(self.pipeline.description)}</p>"),
            self.form.view(),
            row(self.run_button, self.cancel_button, self.force),
            self.status,
            self.clock,
            self.pane.view(),
        )
        self.pane.record = self._last()
        self._refresh()

    def _settled(self) -> dict[str, Any]:
        """What the environment says beside pipeline.yaml."""
        bound = configure(self.pipeline, self._layers).pipeline
        return {name: item.value for name, item in bound.items() if not item.secret}

    def _last(self) -> RunRecord | None:
        """The newest run of this pipeline that has ended."""
        runs = [r for r in list_runs(runs_dir=self.runs_dir) if r.pipeline == self.pipeline.name]
        return next((r for r in reversed(runs) if r.ended is not None), None)

    @property
    def is_running(self) -> bool:
        """Whether a run of this view goes on."""
        return self._live is not None and not self._live.is_over

    def start(self) -> None:
        """Start a run with what the form says, as the button does; errors stand in the view."""
        if self.is_running:
            return
        values = self.form.values()
        if values is None:
            self._say("✗ Correct the fields marked above first; nothing has run.", "problem")
            return
        try:
            configure(self.pipeline, replace(self._layers, values=values))
        except MlkitError as error:
            self._say(f"✗ {_spoken(error)} Nothing has run.", "problem")
            return
        options = RunOptions(workers=self._workers, force=bool(self.force.value))
        order = Order(
            pipeline=self.pipeline,
            runs_dir=self.runs_dir,
            parameters=values,
            layers=self._layers,
            options=options,
            services=self._services,
        )
        self._live = LiveRun(order, self._changed)
        self._live.start()
        self._refresh()

    def cancel(self) -> None:
        """Stop the run; what has finished is kept."""
        if self._live is not None and not self._live.is_over:
            self._live.cancel()
            self._refresh()

    def run(self) -> RunRecord:
        """Wait for the run that goes on, or start one and wait; the rest of a notebook may follow.

        A run that the button has started and that has ended since is given at once.

        Raises
        ------
        MlkitError
            If the form holds an invalid value, or the run cannot begin.
        """
        if self._live is None or self._live.problem is not None:
            self._live = None
            self.start()
        live = self._live
        if live is None:
            raise UsageError("the form holds a value that cannot be used", remedy="Correct it")
        try:
            record = live.wait()
        except KeyboardInterrupt:
            live.cancel()
            live.wait()
            raise
        assert record is not None, "a run that has ended without an error has a record"
        return record

    def _changed(self, live: LiveRun) -> None:
        with self._lock:
            if live is self._live:
                self._refresh()

    def _refresh(self) -> None:
        """Bring everything that is shown up to date."""
        live = self._live
        if live is not None and live.progress.board.run_id:
            self.pane.record = live.snapshot()
            self.pane.lines = live.progress.board.lines
        running = self.is_running
        self.run_button.disabled, self.cancel_button.disabled = running, not running
        self.form.disable(off=running)
        self.force.disabled = running
        self._tell(live)
        self.pane.refresh()

    def pictures(self) -> Sequence[str]:
        """The DAG with the states of the run that is shown, and when each stage ran."""
        return self.pane.pictures()

    def _say(self, words: str, kind: str = "") -> None:
        looks = f' class="mlkit-{kind}"' if kind else ""
        self.status.markup = f"<div{looks}>{text(words)}</div>"

    def _tell(self, live: LiveRun | None) -> None:
        """The sentence about the run, and the clock."""
        if live is None:
            self._say(_past(self.pane.record))
            return
        if live.problem is not None:
            problem = live.problem
            said = _spoken(problem) if isinstance(problem, MlkitError) else repr(problem)
            self._say(f"✗ The run could not begin: {said}", "problem")
            self.clock.markup = ""
            return
        if live.record is not None:
            self._say(told(live.record), "note" if live.record.ok else "problem")
            self.clock.markup = ""
            return
        self._say(_going(live))
        self.clock.markup = _clock(live)


def _spoken(error: MlkitError) -> str:
    place = f" ({error.place})" if error.place else ""
    remedy = f" {error.remedy}." if error.remedy else ""
    return f"{error.message}{place}.{remedy}"


def _past(record: RunRecord | None) -> str:
    if record is None:
        return "○ It has not run yet. Press Run."
    return f"Last run: {told(record)}"


def told(record: RunRecord) -> str:
    """Say in a sentence how a run ended, and which stage failed first, and why."""
    sign = RUN_SIGNS[record.status]
    words = f"{sign} after {format_duration(record.seconds)} (run {record.run_id})."
    red = failures(record)
    if not red:
        return words
    first = red[0]
    why = f"{first.error.type}: {first.error.message}" if first.error else first.reason
    return f"{words} Stage {first.id} failed. {why}"


def _going(live: LiveRun) -> str:
    lines = live.progress.board.lines
    now = [_place(n, line) for n, line in lines.items() if line.status is Status.RUNNING]
    if live.is_cancelled:
        return "■ Stopping what is under way …"
    if not lines:
        return "▶ Starting …"
    words = f"▶ Running: {live.progress.board.finished} of {len(lines)} have finished"
    return f"{words}; now {', '.join(now)}." if now else f"{words}."


def _place(name: str, line: Line) -> str:
    """A stage that runs, and where in its notebook."""
    return f"{name} (cell {line.cell} of {line.cells})" if line.cell else name


def _clock(live: LiveRun) -> str:
    board = live.progress.board
    total = max(1, len(board.lines))
    amount = f'max="{total}" value="{board.finished}"'
    bar = f'<progress {amount} aria-label="stages that have finished"></progress>'
    return f"<div>{bar} {format_duration(live.seconds)}</div>"
