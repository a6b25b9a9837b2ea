"""Two runs side by side as a picture: how long each stage took."""

from __future__ import annotations

from mlkit.core.durations import format_duration
from mlkit.reports.changes import Comparison, StageChange
from mlkit.reports.svg import document, element, shorten_name, text, width_of

__all__ = ["draw_pair"]

_ROW, _BAR, _HEAD, _CHART, _SIZE = 34.0, 12.0, 34.0, 360.0, 11.5


def draw_pair(found: Comparison) -> str:
    """Draw two bars for each stage that either run executed: A above B.

    Parameters
    ----------
    found : Comparison
        From `mlkit.compare`.
    """
    changes = [c for c in found.stages if c.left_seconds is not None or c.right_seconds is not None]
    left = max((width_of(shorten_name(c.stage, 34), _SIZE) for c in changes), default=0.0) + 12
    longest = max((s or 0.0 for c in changes for s in (c.left_seconds, c.right_seconds)), default=0)
    scale = _CHART / (longest or 1.0)
    heading = _finding(changes)
    parts = [element("text", text(heading), x=0.0, y=16.0, class_="heading")]
    for index, change in enumerate(changes):
        parts.append(_row(change, _HEAD + index * _ROW, left, scale))
    words = " ".join(map(_sentence, changes))
    width = max(left + _CHART + 200, width_of(heading, 14.0))
    size = (width, _HEAD + len(changes) * _ROW + 8)
    return document("".join(parts), size, heading, words)


def _finding(changes: list[StageChange]) -> str:
    totals = [sum(s or 0.0 for s in side) for side in zip(*map(_seconds, changes), strict=True)]
    if not totals:
        return "Neither run executed a stage"
    left, right = map(format_duration, totals)
    return f"Stages took {left} in run A and {right} in run B"


def _seconds(change: StageChange) -> tuple[float | None, float | None]:
    return change.left_seconds, change.right_seconds


def _row(change: StageChange, y: float, left: float, scale: float) -> str:
    parts = [element("text", text(shorten_name(change.stage, 34)), x=0.0, y=y + 17, class_="small")]
    sides = (("A", change.left, change.left_seconds), ("B", change.right, change.right_seconds))
    for index, (name, status, seconds) in enumerate(sides):
        top = y + index * (_BAR + 1)
        width = max(2.0, (seconds or 0.0) * scale)
        if seconds is not None:
            bar = element("rect", x=left, y=top, width=width, height=_BAR, rx=2, class_="span")
            parts.append(element("g", bar, class_="state-cached" if index else "state-succeeded"))
        words = f"{name}: {_said(status, seconds)}"
        x = left + (width + 6 if seconds is not None else 0.0)
        parts.append(element("text", text(words), x=x, y=top + 10.5, class_="small"))
    return element("g", *parts)


def _said(status: str | None, seconds: float | None) -> str:
    if seconds is not None:
        return format_duration(seconds)
    return (status or "not there").replace("_", " ")


def _sentence(change: StageChange) -> str:
    left = _said(change.left, change.left_seconds)
    right = _said(change.right, change.right_seconds)
    return f"{change.stage}: A {left}, B {right}."
