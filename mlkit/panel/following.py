"""What a panel shows, kept up to date: the pipeline, what would run and why, and its run.

Nothing goes on here by itself: a caller that waits for news calls `look` again and again. Each part
has the number of the look at which it changed last, so that a page is sent only what is new to it.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlkit.api.forecasting import forecast
from mlkit.api.watched_files import LEAST_PAUSE_S, WatchedFiles, marks_of
from mlkit.api.watched_pipeline import Reading, WatchSettings, places_of, read_now
from mlkit.core.record import RunRecord
from mlkit.errors import MlkitError
from mlkit.observe.board import Board
from mlkit.panel.documents import (
    error_document,
    pipeline_document,
    plan_document,
    run_document,
)
from mlkit.panel.form import Form
from mlkit.panel.run_following import FollowedRun
from mlkit.panel.workspace import Workspace
from mlkit.reports.graph_forms import to_svg
from mlkit.store.folder import RunsFolder
from mlkit.widgets.views.run_pictures import run_pictures

__all__ = ["Following"]

_CALM_S = 60.0
"""So long after a change of a runs folder its runs are looked for again and again."""

_MOST_FOREIGN = 20
"""So many of the newest runs are asked whether they are of this pipeline: a runs folder may have
several."""


@dataclass
class _Part:
    content: Any
    number: int


class Following:
    """One pipeline as one form asks about it; its methods are thread-safe.

    Parameters
    ----------
    form : Form
        The pipeline, its parameters, its profile.
    workspace : Workspace
        What JupyterLab shows.
    run_id : str, optional
        The run that is shown; by default the newest one.
    """

    def __init__(self, form: Form, workspace: Workspace, run_id: str | None = None) -> None:
        self._form, self._workspace, self._chosen = form, workspace, run_id
        self._lock = threading.Lock()
        self._parts: dict[str, _Part] = {}
        self._number = 0
        self._files = WatchedFiles()
        self._settings = WatchSettings(
            path=form.file, layers=lambda: form.layers, options=form.options
        )
        self._read: Reading | None = None
        self._is_stale = True
        self._runs_marks: object = None
        self._run: FollowedRun | None = None
        self._foreign: set[str] = set()
        self.tag = secrets.token_hex(4)
        """Numbers mean something to this one alone, and one that was forgotten begins anew."""

    def look(self, job: Mapping[str, Any] | None = None) -> float:
        """Look once at everything; gives how long to wait until the next time.

        Parameters
        ----------
        job : mapping, optional
            What the panel's own commands on this pipeline are doing.
        """
        with self._lock:
            self._put("job", job)
            saved, pause = self._files.look()
            if saved or self._is_stale:
                self._is_stale = False
                self._read_again()
            if self._read is not None:
                self._look_at_runs(self._read)
            return max(pause, LEAST_PAUSE_S)

    def news(self, number: int) -> dict[str, Any] | None:
        """What has changed since the look of a number; None if nothing has."""
        with self._lock:
            new = {key: p.content for key, p in self._parts.items() if p.number > number}
            return {"number": self._number, **new} if new else None

    def _put(self, key: str, content: Any) -> None:
        """Note what is told; what is equal is no news."""
        before = self._parts.get(key)
        if before is None or before.content != content:
            self._number += 1
            self._parts[key] = _Part(content, self._number)

    def _read_again(self) -> None:
        """Read pipeline.yaml and notebooks, and ask the planner."""
        try:
            read = read_now(self._settings)
            self._read = read
            self._put("pipeline", pipeline_document(read.pipeline, self._workspace))
            found = forecast(read.pipeline, read.configuration, read.runs_dir, self._form.options)
            self._put("plan", plan_document(found))
            self._put("problem", None)
        except MlkitError as error:
            self._put("problem", error_document(error, self._workspace))
            self._put("plan", None)
        self._follow_files()
        if self._run is None:
            self._draw(None)
        else:
            self._tell(self._run)

    def _follow_files(self) -> None:
        """Look from now on at what the pipeline depends on; while it is wrong, at what it was."""
        if self._read is None:
            notebooks = {str(path) for path in self._form.file.parent.glob("*.ipynb")}
            self._files.follow({*self._settings.files, *notebooks})
            return
        places = places_of(self._settings, self._read, self._record())
        self._files.follow(places.files | places.folders, places.inputs, places.marks)

    def _record(self) -> RunRecord | None:
        if self._read is None or self._run is None:
            return None
        return self._run.record(self._read.pipeline)

    def _look_at_runs(self, read: Reading) -> None:
        """Find the run that is shown, and read on in it."""
        marks = marks_of(str(read.runs_dir))
        if marks != self._runs_marks or self._run is None:
            has_all_told = self._choose_run(read.runs_dir)
            # a run that has just made its folder is no run yet, and adds nothing to this one later
            is_calm = marks is None or time.time() - marks[0] / 1e9 > _CALM_S
            self._runs_marks = marks if has_all_told and is_calm else None
        run = self._run
        if run is None:
            return
        was_over = run.is_over
        if run.look() or "run" not in self._parts or self._parts["run"].content is None:
            self._tell(run)
        if run.is_over and not was_over:
            self._is_stale = True
            self._put("runs", [run.run_id, run.progress.board.status.value, self._number])

    def _choose_run(self, runs_dir: Path) -> bool:
        """Find the run that is shown; False if one has made its folder, and told nothing yet."""
        ids = RunsFolder(runs_dir).run_ids() if runs_dir.is_dir() else []
        self._put("count", len(ids))
        if self._chosen is not None:
            if self._run is None and self._chosen in ids:
                self._run = FollowedRun(runs_dir, self._chosen)
            return True
        has_all_told = True
        mine = str(self._form.file)
        for run_id in reversed(ids[-_MOST_FOREIGN:]):
            if self._run is not None and run_id == self._run.run_id:
                break
            if run_id in self._foreign:
                continue
            run = FollowedRun(runs_dir, run_id)
            run.look()
            if not run.file:
                has_all_told = False
                continue
            if _is_same(run.file, mine):
                self._run = run
                self._put("runs", [run.run_id, "begun", self._number])
                self._tell(run)
                break
            self._foreign.add(run_id)
        return has_all_told

    def _tell(self, run: FollowedRun) -> None:
        if self._read is None:
            return
        record = run.record(self._read.pipeline)
        board = Board() if run.is_over else run.progress.board
        self._put("run", run_document(record, board, run.said(record)))
        self._draw(record)

    def _draw(self, record: RunRecord | None) -> None:
        if self._read is None:
            return
        pipeline = self._read.pipeline
        if record is None:
            self._put("picture", to_svg(pipeline, styled=False))
            self._put("run", None)
            return
        known = set(pipeline.stages)
        stages = {key: item for key, item in record.stages.items() if item.stage in known}
        shown = run_pictures(pipeline, replace(record, stages=stages))
        self._put("picture", shown[0] if shown else "")


def _is_same(one: str, other: str) -> bool:
    return one == other or os.path.realpath(one) == os.path.realpath(other)
