"""What a stage has logged with `mlkit.log_metric`, read out of the file that it wrote."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import field
from itertools import count
from pathlib import Path
from typing import Any

from mlkit.frozen import dataclass
from mlkit.inside.measuring import NAME, PROGRESS_LINE

__all__ = ["LOGGED", "MOST_POINTS", "Logged", "read_logged"]

LOGGED = "metrics.jsonl"
"""In an attempt's folder, beside its log; every line of it stays."""

MOST_POINTS = 1_000
"""So many points of a curve stand in a record; the file has them all."""
_MOST_NAMES = 1_000
_LARGEST = 1e300

Curve = tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Logged:
    """The metrics that an attempt logged.

    Parameters
    ----------
    metrics : mapping of str to float
        The last value of each, in the order in which they were first logged.
    curves : mapping of str to sequence of (float, float)
        Steps and values of those that were logged at several steps.
    wrong : int
        How many lines say nothing; another language's stage may have written them.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    wrong: int = 0

    def to_json(self) -> dict[str, Any]:
        """As it stands beside a result."""
        return {
            "metrics": dict(self.metrics),
            "curves": {name: [list(point) for point in c] for name, c in self.curves.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Logged:
        """Undo `to_json`; an older result has logged nothing."""
        curves = data.get("curves", {})
        return cls(
            metrics=dict(data.get("metrics", {})),
            curves={name: tuple((s, v) for s, v in points) for name, points in curves.items()},
        )


def read_logged(file: Path) -> Logged:
    """Read what was logged; a file that is not there has nothing."""
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            return logged_lines(lines)
    except FileNotFoundError:
        return Logged()


def logged_lines(lines: Iterable[str]) -> Logged:
    """Gather lines into metrics and curves. Pure; a line that was torn says nothing."""
    metrics: dict[str, float] = {}
    points: dict[str, dict[float, float]] = {}
    turns: dict[str, count[int]] = {}
    wrong = 0
    for line in lines:
        if line.startswith(PROGRESS_LINE):  # it was told while the stage ran, and measures nothing
            continue
        entry = _entry(line)
        if entry is None or (entry[0] not in metrics and len(metrics) == _MOST_NAMES):
            wrong += 1
            continue
        name, value, step = entry
        at = next(turns.setdefault(name, count())) if step is None else step
        metrics[name] = value
        points.setdefault(name, {})[float(at)] = value
    curves = {
        name: _thinned(tuple(sorted(found.items())))
        for name, found in points.items()
        if len(found) > 1
    }
    return Logged(metrics=metrics, curves=curves, wrong=wrong)


def _entry(line: str) -> tuple[str, float, float | None] | None:
    try:
        found = json.loads(line)
        name, value, step = found["name"], found["value"], found.get("step")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return None
    if not _is_finite(value) or not (step is None or _is_finite(step)):
        return None
    return name, float(value), None if step is None else float(step)


def _is_finite(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < _LARGEST and math.isfinite(value)


def _thinned(curve: Curve) -> Curve:
    """At most so many points: of each stretch the lowest and the highest, so that peaks stay."""
    if len(curve) <= MOST_POINTS:
        return curve
    stretches = MOST_POINTS // 2 - 1
    inner = curve[1:-1]
    kept = [curve[0]]
    for number in range(stretches):
        part = inner[number * len(inner) // stretches : (number + 1) * len(inner) // stretches]
        ends = {min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])}
        kept += sorted(ends)
    return (*kept, curve[-1])
