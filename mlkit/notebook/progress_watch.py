"""Look how far the work of an attempt has come: at what it prints, logs and draws."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from mlkit.core.progress import Bar, bar_in
from mlkit.core.scrubbing import Scrubber

__all__ = ["LOOK_EVERY_S", "ProgressWatch"]

LOOK_EVERY_S = 0.5
_LEAST_S, _SHARE = 1.0, 0.005
"""News come at most once a second, and later ones each after a two-hundredth of the attempt's time:
some hundreds of an hour, whatever the notebook does."""
_MOST_METRICS, _MOST_BYTES = 8, 262_144
_WIDGET_BARS = frozenset({"FloatProgressModel", "IntProgressModel"})


class ProgressWatch:
    """Keeps what was seen last; what is printed costs one search for a carriage return.

    Parameters
    ----------
    file : Path
        Where the kernel logs metrics and progress.
    scrubber : Scrubber
        What must not appear in a label.
    clock : callable
        Gives seconds that only grow.
    """

    def __init__(self, file: Path, scrubber: Scrubber, clock: Callable[[], float]) -> None:
        self._file, self._scrubber, self._clock = file, scrubber, clock
        self._began = self._told = clock()
        self._offset = 0
        self._printed = ""
        self._bar: Bar | None = None
        self._is_new = False
        self._points: dict[str, tuple[float, float]] = {}
        self._turns: dict[str, count[int]] = {}

    def heard(self, text: str) -> None:
        """Take what was printed."""
        if "\r" in text:
            self._printed = text

    def begin_cell(self) -> None:
        """Forget the bar of the cell before."""
        self._printed, self._bar, self._is_new = "", None, False

    def look(
        self, widgets: Mapping[str, Mapping[str, Any]]
    ) -> tuple[Bar | None, dict[str, tuple[float, float]]] | None:
        """Give the bar and the points that are new; None if nothing is, or if it is too early.

        Parameters
        ----------
        widgets : mapping
            The states of the widgets that the notebook has made, among them tqdm's in notebooks.
        """
        now = self._clock()
        if now - self._told < max(_LEAST_S, (now - self._began) * _SHARE):
            return None
        self._read()
        self._see(_widget_bar(widgets))
        if self._printed:
            self._see(bar_in(self._printed))
            self._printed = ""
        if not self._is_new and not self._points:
            return None
        bar, points = (self._bar if self._is_new else None), self._points
        self._told, self._is_new, self._points = now, False, {}
        return bar, points

    def _see(self, bar: Bar | None) -> None:
        if bar is not None and bar != self._bar:
            self._bar, self._is_new = bar, True

    def _read(self) -> None:
        """Read on in the file, as far as whole lines stand there; of very much only the end."""
        try:
            size = self._file.stat().st_size
            if size <= self._offset:
                return
            with self._file.open("rb") as file:
                file.seek(max(self._offset, size - _MOST_BYTES))
                data = file.read()
                end = file.tell()
        except OSError:  # nothing was logged yet, or the notebook took it away: nothing to show
            return
        whole, newline, rest = data.rpartition(b"\n")
        self._offset = end - len(rest)
        for line in whole.splitlines() if newline else ():
            self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            told = json.loads(line)
            bar = _bar_of(told) if "progress" in told else None
            point = None if "progress" in told else self._point(told)
        except (ValueError, TypeError, KeyError, RecursionError):
            return  # a torn line, or another program's: the record counts it where it matters
        if bar is not None:
            self._see(bar)
        elif point is not None and (told["name"] in self._points or self._has_room):
            self._points[self._scrubber.text(told["name"])] = point

    @property
    def _has_room(self) -> bool:
        return len(self._points) < _MOST_METRICS

    def _point(self, told: Mapping[str, Any]) -> tuple[float, float] | None:
        name, value, step = str(told["name"]), float(told["value"]), told.get("step")
        at = next(self._turns.setdefault(name, count())) if step is None else float(step)
        return (float(at), value) if math.isfinite(value) and math.isfinite(at) else None


def _bar_of(told: Mapping[str, Any]) -> Bar:
    total = told.get("total")
    of = None if total is None else float(total)
    return Bar(done=float(told["done"]), total=of, label=str(told["progress"])[:60])


def _widget_bar(widgets: Mapping[str, Mapping[str, Any]]) -> Bar | None:
    """The last of the notebook's progress widgets that is under way."""
    for state in reversed(list(widgets.values())):
        if state.get("_model_name") in _WIDGET_BARS:
            done, total = state.get("value"), state.get("max")
            if isinstance(done, int | float) and isinstance(total, int | float) and done < total:
                return Bar(done=done, total=total, label=str(state.get("description") or ""))
    return None
