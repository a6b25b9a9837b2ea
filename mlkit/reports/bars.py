"""A bar chart that compares the instances of a mapped stage by one metric."""

from __future__ import annotations

import math

from mlkit.frozen import dataclass
from mlkit.reports.metrics import MetricGroup
from mlkit.reports.svg import document, element, shorten, shorten_name, text, width_of

__all__ = ["bars_begin", "draw_bars", "finding", "number"]

_ROW, _BAR, _HEAD, _CHART, _SIZE = 26.0, 18.0, 34.0, 230.0, 11.5
_LONGEST_NAME, _LONGEST_HEADING = 26, 44
"""So that the picture is legible on a telephone without scrolling."""
_ALIKE = 0.25
"""Where values differ by less than this share of the largest, bars from zero look the same."""
_MOST_BARS = 200


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


def bars_begin(low: float, high: float) -> float:
    """Choose where bars begin: at zero, or at a round number from which differences can be seen.

    Parameters
    ----------
    low, high : float
        The lowest and the highest value.

    Returns
    -------
    float
        Zero, unless both have one sign and differ by less than a quarter of the larger; then a
        number between zero and the nearer of them, a fifth of their difference or more away.
    """
    spread = high - low
    largest = max(abs(low), abs(high))
    # Numbers that differ only in their last digits look equal.
    if low * high <= 0 or not 1e-9 * largest < spread < _ALIKE * largest:
        return 0.0
    power = 10.0 ** math.floor(math.log10(spread))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= spread / 2)
    nearest = min(abs(low), abs(high))
    begin = math.floor((nearest - spread / 5) / step) * step
    return math.copysign(round(begin, 12), low)


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """Where the bars begin, in pixels and as a value, and how long a unit is."""

    left: float
    start: float
    begin: float
    scale: float

    @property
    def right(self) -> float:
        return self.left + _CHART

    def at(self, value: float) -> float:
        return self.start + (value - self.begin) * self.scale


def _axis(values: list[float], left: float) -> _Axis:
    begin = bars_begin(min(values), max(values))
    low, high = min(begin, *values), max(begin, *values)
    scale = _CHART / ((high - low) or 1.0)
    return _Axis(left=left, start=left + (begin - low) * scale, begin=begin, scale=scale)


def draw_bars(group: MetricGroup) -> str:
    """Draw a bar for each instance, with its value in it, or beside it where it is short.

    Of very many those are drawn that have the lowest and the highest values, in their order.

    Parameters
    ----------
    group : MetricGroup
        At least one value; negative ones go to the left.
    """
    pairs = _drawn(group)
    names = [shorten_name(name, _LONGEST_NAME) for name, _ in pairs]
    values = [value for _, value in pairs]
    axis = _axis(values, max(width_of(name, _SIZE) for name in names) + 12)
    heading = shorten(f"{group.metric} of {group.stage}, n = {len(group.values)}", _LONGEST_HEADING)
    parts = [element("text", text(heading), x=0.0, y=16.0, class_="heading")]
    top, words = _HEAD, ", ".join(f"{name}: {number(value)}" for name, value in pairs)
    remarks = [f"Bars begin at {number(axis.begin)}, not at 0"] if axis.begin else []
    remarks += ["Shown are the highest and the lowest"] if len(pairs) < len(group.values) else []
    for said in remarks:
        parts.append(element("text", text(said), x=0.0, y=top - 2, class_="small"))
        top, words = top + 14, f"{words}. {said}."
    extremes = min(values), max(values)
    right = max(axis.right + 6, width_of(heading, 14.0))
    for index, (name, value) in enumerate(zip(names, values, strict=True)):
        y = top + index * _ROW
        parts.append(element("text", text(name), x=0.0, y=y + 16, class_="small"))
        bar, end = _bar(value, y, axis, _extreme(value, extremes))
        parts.append(bar)
        right = max(right, end)
    bottom = top + len(values) * _ROW
    dashes = "3 3" if axis.begin else None
    ends = {"x1": axis.start, "x2": axis.start, "y1": top - 2, "y2": bottom}
    parts.append(element("line", class_="axis", stroke_dasharray=dashes, **ends))
    return document("".join(parts), (right, bottom + 8), finding(group), words)


def _drawn(group: MetricGroup) -> list[tuple[str, float]]:
    """The pairs that are drawn: all, or the lowest and the highest in the order of `foreach`."""
    pairs = list(group.values)
    if len(pairs) <= _MOST_BARS:
        return pairs
    places = sorted(range(len(pairs)), key=lambda place: pairs[place][1])
    half = _MOST_BARS // 2
    return [pairs[place] for place in sorted([*places[:half], *places[-half:]])]


def _extreme(value: float, ends: tuple[float, float]) -> str:
    """Which end of the scale a bar is; whether that is good or bad, the metric does not say."""
    lowest, highest = ends
    if lowest == highest:
        return ""
    return {highest: "highest", lowest: "lowest"}.get(value, "")


def _bar(value: float, y: float, axis: _Axis, remark: str) -> tuple[str, float]:
    """The bar and its value, and where they end on the right.

    The value stands within the bar if there is room, otherwise where more of it is left; where
    neither side has enough, on the right, and the picture becomes wider.
    """
    begin, end = sorted((axis.start, axis.at(value)))
    words = f"{number(value)} {remark}".strip()
    shape = element(
        "rect", x=begin, y=y + 2, width=max(end - begin, 1.0), height=_BAR, class_="bar"
    )
    room, before = width_of(words, _SIZE) + 12, begin - axis.left
    inside = room <= end - begin
    if inside:
        to_the_right = value >= axis.begin
        x, anchor = (end - 6, "end") if to_the_right else (begin + 6, "start")
    else:
        to_the_right = axis.right - end >= before or before < room
        x, anchor = (end + 6, "start") if to_the_right else (begin - 6, "end")
    kind = "on-bar value" if inside else "value"
    shown = element("text", text(words), x=x, y=y + 15.5, text_anchor=anchor, class_=kind)
    return shape + shown, end + room if to_the_right and not inside else end
