"""A bar chart that compares the instances of a mapped stage by one metric."""

from __future__ import annotations

from mlkit.reports.metrics import MetricGroup
from mlkit.reports.svg import document, element, shorten, text, width_of

__all__ = ["draw_bars", "finding", "number"]

_ROW, _BAR, _HEAD, _CHART, _SIZE = 26.0, 16.0, 34.0, 260.0, 11.5
_VALUE = 104.0


def number(value: float) -> str:
    """Write a number shortly: whole numbers whole, others with four significant digits."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.4g}"


def finding(group: MetricGroup) -> str:
    """Say in one line what the chart shows."""
    top = max(group.values, key=lambda pair: pair[1])
    low = min(group.values, key=lambda pair: pair[1])
    if top[1] == low[1]:
        return f"{group.metric}: {number(top[1])} for all {len(group.values)}"
    return f"{group.metric}: {number(low[1])} ({low[0]}) to {number(top[1])} ({top[0]})"


def draw_bars(group: MetricGroup, *, styled: bool = True) -> str:
    """Draw a bar for each instance, from zero, with its value beside it.

    Parameters
    ----------
    group : MetricGroup
        At least one value; negative ones go to the left.
    styled : bool
        Whether the SVG carries its own style sheet.
    """
    names = [shorten(name, 30) for name, _ in group.values]
    values = [value for _, value in group.values]
    left = max(width_of(name, _SIZE) for name in names) + 12
    low, high = min(0.0, *values), max(0.0, *values)
    scale = _CHART / ((high - low) or 1.0)
    zero = left + _VALUE * (low < 0) - low * scale
    parts = [element("text", text(_heading(group)), x=0.0, y=16.0, class_="heading")]
    for index, (name, value) in enumerate(zip(names, values, strict=True)):
        y = _HEAD + index * _ROW
        parts.append(element("text", text(name), x=0.0, y=y + 15, class_="small"))
        parts.append(_bar(value, y, (zero, scale), _extreme(value, values)))
    bottom = _HEAD + len(values) * _ROW
    parts.append(element("line", x1=zero, x2=zero, y1=_HEAD - 2, y2=bottom, class_="axis"))
    words = ", ".join(f"{name}: {number(value)}" for name, value in group.values)
    width = max(left + _VALUE * (low < 0) + _CHART + _VALUE, width_of(_heading(group), 14.0))
    return document("".join(parts), (width, bottom + 8), finding(group), words, styled=styled)


def _heading(group: MetricGroup) -> str:
    return shorten(f"{group.metric} of {group.stage}, n = {len(group.values)}", 60)


def _extreme(value: float, values: list[float]) -> str:
    """Which end of the scale a bar is; whether that is good or bad, the metric does not say."""
    if min(values) == max(values):
        return ""
    return {max(values): "highest", min(values): "lowest"}.get(value, "")


def _bar(value: float, y: float, axis: tuple[float, float], remark: str) -> str:
    zero, scale = axis
    length = abs(value) * scale
    start = zero if value >= 0 else zero - length
    anchor, x = ("start", zero + length + 6) if value >= 0 else ("end", start - 6)
    shape = element("rect", x=start, y=y + 4, width=max(length, 1.0), height=_BAR, class_="bar")
    words = f"{number(value)} {remark}".strip()
    return shape + element("text", text(words), x=x, y=y + 16.5, text_anchor=anchor)
