"""Watch a pipeline from a notebook: every save runs again what it affects."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlkit.api.choices import default_workers, loaded
from mlkit.api.runs_place import runs_folder
from mlkit.api.watched_pipeline import WatchSettings
from mlkit.api.watching import Notice, Watch
from mlkit.core.durations import format_duration
from mlkit.core.events import Event
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import FINISHED
from mlkit.driver.options import RunOptions
from mlkit.driver.services import Services
from mlkit.errors import MlkitError
from mlkit.load.parameters import Layers
from mlkit.observe.signs import SIGNS
from mlkit.reports.svg import text
from mlkit.widgets.kit.base import Panel
from mlkit.widgets.kit.controls import button, row
from mlkit.widgets.kit.markup import Markup
from mlkit.widgets.views.live_run import Progress, follow, record_of
from mlkit.widgets.views.pipeline_view import told
from mlkit.widgets.views.run_pane import RunPane

__all__ = ["WatchView", "watch"]

_AT_MOST_EVERY_S = 0.1
_TICK_S = 0.5
_STOP_S = 60.0
_MOST_ROWS = 40


class WatchView(Panel):
    """A button that starts and stops a watch, why the last round ran, and the round as it goes on.

    The watch has threads of its own: the notebook stays usable. Of one pipeline one view watches
    at a time; another one that is started in the same notebook takes its place.

    Parameters
    ----------
    pipeline : Pipeline, Path or str
        The pipeline, its pipeline.yaml, or its folder; read again before every round.
    parameters : mapping of str to object, optional
        Values for `NAME` or `STAGE.NAME`.
    runs_dir : Path or str, optional
        The runs folder.
    options : RunOptions, optional
        What else is asked of every round: `until`, `only`, a profile.
    services : Services, optional
        The driver's surroundings.

    Examples
    --------
    >>> mlkit.watch("notebooks/flights")  # doctest: +SKIP
    """

    _started: Mapping[tuple[str, Path], WatchView] = {}

    def __init__(
        self,
        pipeline: Pipeline | Path | str,
        *,
        parameters: Mapping[str, Any] | None = None,
        runs_dir: Path | str | None = None,
        options: RunOptions | None = None,
        services: Services | None = None,
    ) -> None:
        chosen = options or RunOptions(workers=default_workers())
        self.pipeline = loaded(pipeline, chosen.profile)
        self.runs_dir = runs_folder(self.pipeline, runs_dir)
        self._services = services or Services()
        layers = Layers(environ=dict(self._services.environ), values=dict(parameters or {}))
        self._settings = WatchSettings(
            path=Path(self.pipeline.file),
            layers=lambda: layers,
            options=chosen,
            runs_dir=runs_dir,
        )
        self._watch: Watch | None = None
        self._thread: threading.Thread | None = None
        self._problem: Exception | None = None
        self._progress = Progress()
        self._said = self._waits = ""
        self._is_problem = False
        self._reasons: tuple[str, ...] = ()
        self._news, self._lock = threading.Event(), threading.RLock()
        self.title = f"Watching {self.pipeline.name}"
        self.start_button = button("▶ Watch", self.start, primary=True)
        self.stop_button = button("■ Stop", self.stop)
        self.status, self.why, self.table = Markup(live=True), Markup(), Markup()
        self.pane = RunPane(self.pipeline, self.runs_dir)
        super().__init__(
            row(self.start_button, self.stop_button),
            self.status,
            self.why,
            self.table,
            self.pane.view(),
        )
        self._refresh()

    @property
    def is_watching(self) -> bool:
        """Whether it watches now."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Watch, as the button does: one round at once, then one for every save that counts."""
        if self.is_watching:
            return
        key = (self.pipeline.name, self.runs_dir)
        before = WatchView._started.get(key)
        if before is not None and before is not self:
            before.stop(wait=True)
        WatchView._started = {**WatchView._started, key: self}
        self._problem, self._reasons, self._is_problem = None, (), False
        self._said = self._waits = ""
        self._watch = Watch(self._settings, self._take, self._surroundings)
        self._thread = threading.Thread(
            target=self._run, args=(self._watch,), name="mlkit-watch-view", daemon=True
        )
        self._thread.start()
        threading.Thread(
            target=self._tick, args=(self._thread,), name="mlkit-view", daemon=True
        ).start()

    def stop(self, *, wait: bool = False) -> None:
        """Stop watching, and the round that goes on; what has finished is kept.

        Parameters
        ----------
        wait : bool
            Come back when nothing is left running.
        """
        if self._watch is not None:
            self._watch.stop()
        if wait and self._thread is not None:
            self._thread.join(_STOP_S)
        self._news.set()

    def _surroundings(self) -> contextlib.AbstractContextManager[Services]:
        self._progress = Progress()
        observers = [*self._services.observers, self._follow]
        return contextlib.nullcontext(replace(self._services, observers=observers))

    def _run(self, watch: Watch) -> None:
        try:
            watch.run()
        except Exception as error:  # noqa: BLE001 - nobody waits here: it stands in the view
            self._problem = error
        finally:
            self._news.set()

    def _tick(self, watching: threading.Thread) -> None:
        """Show what is new, but not too often, and let the clock go on when there is nothing."""
        while watching.is_alive():
            self._news.wait(_TICK_S)
            self._news.clear()
            self._refresh()
            watching.join(_AT_MOST_EVERY_S)
        self._refresh()

    def _follow(self, event: Event) -> None:
        self._progress = follow(self._progress, event)
        self._news.set()

    def _take(self, notice: Notice) -> None:
        with self._lock:
            self._waits = ""
            if notice.pipeline is not None:
                self.pipeline = self.pane.pipeline = notice.pipeline
            if notice.kind == "round":
                self._reasons = notice.reasons
            if notice.record is not None:
                self._show(notice.record)
                self._said, self._is_problem = told(notice.record), not notice.record.ok
            elif notice.kind == "waiting":
                self._waits = f" {notice.text[0].upper()}{notice.text[1:]}."
                self._news.set()
                return
            else:
                self._said = f"{_HEADS.get(notice.kind, '')}{notice.text}."
                self._is_problem = notice.kind == "broken"
        self._news.set()

    def _show(self, record: RunRecord) -> None:
        self.pane.record = record
        self.pane.refresh()
        self.table.markup = table_html(record)

    def _refresh(self) -> None:
        """Bring everything that is shown up to date."""
        with self._lock:
            watching = self.is_watching
            self.start_button.disabled, self.stop_button.disabled = watching, not watching
            board = self._progress.board
            goes_on = watching and board.run_id and board.seconds is None
            if goes_on:
                now = self._services.clock.now()
                self._show(record_of(self._progress, self.pipeline, now, self.runs_dir))
            elif self.pane.record is None:
                self.pane.refresh()
            self.status.markup = self._sentence(watching=watching)
            lines = "".join(f"<li>{text(reason)}</li>" for reason in self._reasons)
            head = "<h4>Why the last round ran</h4>" if lines else ""
            self.why.markup = f"{head}<ul>{lines}</ul>" if lines else ""

    def _sentence(self, *, watching: bool) -> str:
        if self._problem is not None:
            problem = self._problem
            said = str(problem) if isinstance(problem, MlkitError) else repr(problem)
            return f'<div class="mlkit-problem">{text(f"✗ Nothing is watched: {said}")}</div>'
        if not watching:
            said = f"○ Nothing is watched. {self._said}".strip()
            return f"<div>{text(said)}</div>"
        kind = "mlkit-problem" if self._is_problem else "mlkit-note"
        said = self._said or "▶ Starting …"
        return f'<div class="{kind}">{text(said + self._waits)}</div>'

    def pictures(self) -> Sequence[str]:
        """The DAG with the states of the round that is shown, and when each stage ran."""
        return self.pane.pictures()


_HEADS = {
    "round": "▶ ",
    "broken": "✗ ",
    "stale": "■ ",
}
"""What stands before a notice."""


def table_html(record: RunRecord) -> str:
    """Write the stages of a round as a table: state, time, and why."""
    items = list(record.stages.values())
    rows = "".join(map(_row, items[:_MOST_ROWS]))
    left = len(items) - _MOST_ROWS
    more = f"<p class='mlkit-quiet'>… and {left} more</p>" if left > 0 else ""
    head = "<tr><th>stage</th><th>state</th><th class='number'>time</th><th>why</th></tr>"
    return f'<table class="mlkit-table"><thead>{head}</thead><tbody>{rows}</tbody></table>{more}'


def _row(item: StageRecord) -> str:
    ran = bool(item.history)
    took = format_duration(item.seconds) if ran and item.status in FINISHED else ""
    why = item.reason
    if item.error is not None:
        why = f"{item.error.type}: {item.error.message}"
    return (
        f'<tr class="state-{item.status.value}"><td>{text(item.id)}</td>'
        f'<td class="mlkit-state">{text(str(SIGNS[item.status]))}</td>'
        f'<td class="number">{text(took)}</td><td>{text(why)}</td></tr>'
    )


def watch(
    pipeline: Pipeline | Path | str,
    *,
    parameters: Mapping[str, Any] | None = None,
    runs_dir: Path | str | None = None,
    options: RunOptions | None = None,
) -> WatchView:
    """Watch a pipeline from a notebook: every save runs again what it affects.

    Parameters
    ----------
    pipeline, parameters, runs_dir, options
        As for `mlkit.run`.

    Returns
    -------
    WatchView
        It has begun; shown in a cell it tells of each round. `stop()` ends it.
    """
    view = WatchView(pipeline, parameters=parameters, runs_dir=runs_dir, options=options)
    view.start()
    return view
